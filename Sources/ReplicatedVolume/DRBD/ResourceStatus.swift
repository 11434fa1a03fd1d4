import HostInterface

/// What a resource is doing, seen from this node.
public struct ResourceStatus: Sendable, Hashable {
  /// The name.
  public var name: ResourceName
  /// The role of this node.
  public var role: Role
  /// Why writes are held back, in DRBD's words (`user`, `no-data`, `fencing`, `quorum`); nil while they are not.
  public var suspended: String?
  /// The volumes on this node.
  public var volumes: [Volume]
  /// The other nodes.
  public var peers: [Peer]

  /// A resource of which only name and role are known.
  public init(name: ResourceName, role: Role) {
    self.name = name
    self.role = role
    volumes = []
    peers = []
  }

  /// Who may write (drbd(7), ROLE).
  public enum Role: String, Sendable, CaseIterable {
    case unknown = "Unknown"
    case primary = "Primary"
    case secondary = "Secondary"
  }

  /// What the data on a disk is worth (drbdsetup(8), disk states).
  public enum Disk: String, Sendable, CaseIterable {
    case diskless = "Diskless"
    case attaching = "Attaching"
    case detaching = "Detaching"
    case failed = "Failed"
    case negotiating = "Negotiating"
    case inconsistent = "Inconsistent"
    case outdated = "Outdated"
    case unknown = "DUnknown"
    case consistent = "Consistent"
    case upToDate = "UpToDate"
  }

  /// Whether the nodes speak with one another (drbdsetup(8), connection states).
  public enum Connection: String, Sendable, CaseIterable {
    case standAlone = "StandAlone"
    case disconnecting = "Disconnecting"
    case unconnected = "Unconnected"
    case timeout = "Timeout"
    case brokenPipe = "BrokenPipe"
    case networkFailure = "NetworkFailure"
    case protocolError = "ProtocolError"
    case tearDown = "TearDown"
    case connecting = "Connecting"
    case connected = "Connected"
  }

  /// What goes over a connection (drbdsetup(8), replication states).
  public enum Replication: String, Sendable, CaseIterable {
    case off = "Off"
    case established = "Established"
    case startingSource = "StartingSyncS"
    case startingTarget = "StartingSyncT"
    case bitmapSource = "WFBitMapS"
    case bitmapTarget = "WFBitMapT"
    case syncUUID = "WFSyncUUID"
    case syncSource = "SyncSource"
    case syncTarget = "SyncTarget"
    case verifySource = "VerifyS"
    case verifyTarget = "VerifyT"
    case pausedSource = "PausedSyncS"
    case pausedTarget = "PausedSyncT"
    case ahead = "Ahead"
    case behind = "Behind"

    /// Whether blocks are being brought into agreement.
    public var isResync: Bool {
      switch self {
      case .startingSource, .startingTarget, .bitmapSource, .bitmapTarget, .syncUUID, .syncSource,
        .syncTarget, .pausedSource, .pausedTarget:
        true
      default: false
      }
    }
    /// Whether the copies are being compared.
    public var isVerification: Bool { self == .verifySource || self == .verifyTarget }
  }

  /// A volume on this node.
  public struct Volume: Sendable, Hashable {
    /// The number in the resource.
    public var number: UInt16
    /// The minor of the device.
    public var minor: UInt32
    /// What its disk is worth.
    public var disk: Disk
    /// The capacity in bytes; nil while there is none.
    public var size: UInt64?
  }

  /// Another node.
  public struct Peer: Sendable, Hashable {
    /// How the tools call it: a node's name on DRBD 9, the word `peer` or nothing on 8.4.
    public var name: String
    /// Its number on DRBD 9, 0 on 8.4.
    public var node: UInt32
    /// Whether it is there.
    public var connection: Connection
    /// Its role.
    public var role: Role
    /// Its volumes.
    public var volumes: [PeerVolume]
  }

  /// A volume on another node.
  public struct PeerVolume: Sendable, Hashable {
    /// The number in the resource.
    public var number: UInt16
    /// What is going on between the two copies.
    public var replication: Replication
    /// What the peer's disk is worth.
    public var disk: Disk
    /// Bytes in which the copies may differ.
    public var outOfSync: UInt64
    /// Why a resync is paused, in DRBD's words; nil when it is not.
    public var paused: String?
    /// Bytes received from the peer, counted from when the device was made on 8.4 and from the connection's on 9.
    public var received: UInt64
    /// Bytes sent to the peer, counted like those received.
    public var sent: UInt64
    /// How far a resync or verification is; nil when none runs, or before it is known.
    public var progress: Progress?
  }

  /// How far a resync or a verification is.
  public struct Progress: Sendable, Hashable {
    /// The part that is done, 0 to 1.
    public var fraction: Double
    /// Bytes a second, lately; nil while that is not known.
    public var rate: UInt64?
    /// Seconds until it is done at that rate.
    public var secondsLeft: UInt64?
  }
}

extension ResourceStatus {
  /// Whether every copy is up to date and every node connected.
  public var isWhole: Bool {
    volumes.allSatisfy { $0.disk == .upToDate } && !peers.isEmpty
      && peers.allSatisfy { peer in
        peer.connection == .connected
          && peer.volumes.allSatisfy { $0.disk == .upToDate && $0.replication == .established }
      }
  }

  /// Whether a resync or verification is under way, or about to be.
  public var isBusy: Bool {
    peers.contains { peer in
      peer.volumes.contains { $0.replication.isResync || $0.replication.isVerification }
    }
  }
}
