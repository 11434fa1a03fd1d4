/// A resource that the kernel of a node has.
struct RunningResource: Sendable, Hashable {
  /// The states of a connection by the names of `drbdsetup events2`.
  enum Connection: String, Sendable {
    case standAlone = "StandAlone"
    case connecting = "Connecting"
    case connected = "Connected"
  }

  /// A volume of it.
  struct Volume: Sendable, Hashable {
    var number: UInt16
    var minor: UInt32
    /// The path of the disk below; nil while there is none.
    var disk: String?
    /// Where its metadata is.
    var metadataDisk: String?
    var state = DiskState.diskless
    var peerState = DiskState.unknown
    var replication = "Off"
    /// In KiB; 0 before there has been a disk.
    var size: UInt64 = 0
    /// What the peer's disk has room for in KiB, as far as it was told; 0 before that.
    var peerRoom: UInt64 = 0
    var outOfSync: UInt64 = 0
    var isPausedHere = false
    var isPausedThere = false

    var paused: String { isPausedHere ? "user" : isPausedThere ? "peer" : "no" }
  }

  var name: String
  var isPrimary = false
  var peerIsPrimary: Bool?
  var connection = Connection.standAlone
  /// `ADDRESS:PORT` of both sides while there is a connection to speak of.
  var addresses: [String] = []
  var discardsMine = false
  var isSuspended = false
  var volumes: [Volume] = []
  /// The options of its net section, by which `adjust` sees what the file says otherwise.
  var net: [String: String] = [:]

  /// Leaves the other side, as sanitize_state() of drbd_state.c does.
  mutating func part(_ connection: Connection) {
    self.connection = connection
    peerIsPrimary = nil
    if connection == .standAlone { addresses = [] }
    for index in volumes.indices {
      volumes[index].replication = "Off"
      volumes[index].isPausedThere = false
      if connection == .standAlone { volumes[index].peerRoom = 0 }
      if ![.inconsistent, .outdated].contains(volumes[index].peerState) || connection == .standAlone {
        volumes[index].peerState = .unknown
      }
    }
  }
}

/// One machine of the pair.
struct Machine: Sendable, Hashable {
  var isOn = true
  var isModuleLoaded = false
  var disks: [String: Disk] = [:]
  var resources: [RunningResource] = []
  /// The active volumes: by `GROUP/VOLUME`, the devices that they are on.
  var active: [String: [String]] = [:]
  /// What somebody holds open: paths of devices, or `GROUP/VOLUME`.
  var open: Set<String> = []
  /// Volumes that the device mapper does not take.
  var refused: Set<String> = []
  /// The lines of the kernel's log that tell something about DRBD.
  var log: [String] = []

  func running(_ name: String) -> Int? { resources.firstIndex { $0.name == name } }

  /// Where a minor is.
  func place(ofMinor minor: UInt32) -> (resource: Int, volume: Int)? {
    for (index, resource) in resources.enumerated() {
      if let volume = resource.volumes.firstIndex(where: { $0.minor == minor }) { return (index, volume) }
    }
    return nil
  }

  /// Whether somebody has one of these devices open, LVM among them.
  func isHeld(_ devices: [String]) -> Bool {
    devices.contains { open.contains($0) } || active.values.contains { $0.contains(where: devices.contains) }
  }
}
