import ReplicatedVolume

/// The verbs of `quartet volume` that need nothing but a resource.
extension VolumeCommand {
  enum Up: ResourceVerb {
    static let word = "up"
    static let abstract = "Attaches the disks and connects to the other nodes."
    static let discussion = ""
    static func change(_ name: ResourceName) -> VolumeChange { .up(name) }
  }

  enum Down: ResourceVerb {
    static let word = "down"
    static let abstract = "Disconnects and detaches; a primary is refused."
    static let discussion = ""
    static func change(_ name: ResourceName) -> VolumeChange { .down(name) }
  }

  enum Promote: ResourceVerb {
    static let word = "promote"
    static let abstract = "Makes this node primary and activates the pools on the resource."
    static let discussion = """
      It is refused while another node is primary, and while LVM sees the disk below DRBD. When the activation fails
      the node is secondary again.
      """
    static func change(_ name: ResourceName) -> VolumeChange { .promote(name) }
  }

  enum Demote: ResourceVerb {
    static let word = "demote"
    static let abstract = "Deactivates the pools on the resource and makes this node secondary."
    static let discussion =
      "It is refused while a volume is open. When a part fails the node is primary again."
    static func change(_ name: ResourceName) -> VolumeChange { .demote(name) }
  }

  enum Sync: ResourceVerb {
    static let word = "sync"
    static let abstract = "Begins the first sync: this node's disks are copied to all others."
    static let discussion = """
      The node is primary afterwards. It is refused unless the disks are new on every node that is connected.
      """
    static func change(_ name: ResourceName) -> VolumeChange { .firstSync(name) }
  }

  enum SkipSync: ResourceVerb {
    static let word = "skip-sync"
    static let abstract = "Declares new disks on all nodes to be alike, without copying anything."
    static let discussion = """
      What was on the disks before differs between the nodes until it is written; nobody should read it. All nodes
      must be connected.
      """
    static func change(_ name: ResourceName) -> VolumeChange { .skipFirstSync(name) }
  }

  enum Connect: ResourceVerb {
    static let word = "connect"
    static let abstract = "Connects to the other nodes."
    static let discussion = ""
    static func change(_ name: ResourceName) -> VolumeChange { .connect(name) }
  }

  enum Disconnect: ResourceVerb {
    static let word = "disconnect"
    static let abstract = "Leaves the other nodes; what is written is copied at the next connect."
    static let discussion = ""
    static func change(_ name: ResourceName) -> VolumeChange { .disconnect(name) }
  }

  enum Adjust: ResourceVerb {
    static let word = "adjust"
    static let abstract = "Makes the running resource what its file says."
    static let discussion = ""
    static func change(_ name: ResourceName) -> VolumeChange { .adjust(name) }
  }

  enum Verify: ResourceVerb {
    static let word = "verify"
    static let abstract = "Begins to compare the copies block by block."
    static let discussion = """
      Its end is seen with `quartet volume status --watch`; what differs is out of sync then, and is copied from the
      primary after `disconnect` and `connect`.
      """
    static func change(_ name: ResourceName) -> VolumeChange { .verify(name) }
  }

  enum Resize: ResourceVerb {
    static let word = "resize"
    static let abstract = "Takes into use what the disks of all nodes have grown by."
    static let discussion = """
      Enlarge the disks of all nodes first: the smallest one decides. Run it on the primary, so that the physical
      volume on the device grows as well. It waits for the other node's answer, for 10 s at most.
      """
    static func change(_ name: ResourceName) -> VolumeChange { .resize(name) }
  }

  enum Invalidate: ResourceVerb {
    static let word = "invalidate"
    static let abstract = "Throws this node's copy away and fetches everything from the other node."
    static let discussion = "A primary is refused."
    static func change(_ name: ResourceName) -> VolumeChange { .invalidate(name) }
  }
}
