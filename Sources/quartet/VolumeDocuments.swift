import EmbeddedPool
import ReplicatedVolume

/// What `quartet volume status --json` prints; the names are stable, and may be added to.
struct ResourceDocument: Encodable {
  struct Volume: Encodable {
    var number: UInt16
    /// DRBD's own.
    var minor: UInt32?
    var disk: String
    var size: UInt64?
  }
  struct Peer: Encodable {
    var name: String
    var connection, role: String
    var volumes: [PeerVolume]
    /// Why a leg of an embedded pool cannot be used.
    var problem: String?
  }
  struct PeerVolume: Encodable {
    var number: UInt16
    var replication, disk: String
    var outOfSync, received, sent: UInt64
    var paused: String?
    var progress, rate: Double?
    var secondsLeft: UInt64?
  }
  var name: String
  var file: String?
  /// `drbd` or `embedded`.
  var engine = "drbd"
  var up: Bool
  var role, suspended: String?
  var splitBrain: Bool
  var volumes: [Volume]
  var peers: [Peer]
  var pools: [String]
  /// What happened to the legs of an embedded pool, and why it cannot be opened.
  var events: [String]?
  var problem: String?

  init(_ name: ResourceName, in state: VolumeState) {
    let status = state.status(name)
    self.name = name.description
    file = state.file(name).map { "\($0.file)" }
    up = status != nil
    role = status?.role.rawValue
    suspended = status?.suspended
    splitBrain = state.splitBrain.contains(name)
    volumes = (status?.volumes ?? []).map {
      Volume(number: $0.number, minor: $0.minor, disk: $0.disk.rawValue, size: $0.size)
    }
    peers = (status?.peers ?? []).map { peer in
      Peer(
        name: state.name(of: peer, in: name), connection: peer.connection.rawValue, role: peer.role.rawValue,
        volumes: peer.volumes.map { volume in
          PeerVolume(
            number: volume.number, replication: volume.replication.rawValue, disk: volume.disk.rawValue,
            outOfSync: volume.outOfSync, received: volume.received, sent: volume.sent, paused: volume.paused,
            progress: volume.progress?.fraction, rate: volume.progress?.rate.map(Double.init),
            secondsLeft: volume.progress?.secondsLeft)
        })
    }
    pools = state.pools(on: name).map(\.name)
  }
}

/// What `quartet pool list --json` and `quartet pool map --json` print.
struct PoolDocument: Encodable {
  struct Device: Encodable {
    var path: String
    var size, extents, allocated: UInt64
    var missing: Bool
  }
  struct Volume: Encodable {
    var name, layout: String
    var size: UInt64
    var active, open: Bool
    var origin, thinPool: String?
    var usedPercent: Double?
  }
  struct Segment: Encodable {
    var device: String
    var start, count: UInt64
    var volume: String?
  }
  var name: String
  var extentSize, extents, free: UInt64
  var devices: [Device]
  var volumes: [Volume]
  var map: [Segment]

  init(_ pool: Pool) {
    name = pool.name
    (extentSize, extents, free) = (pool.extentSize, pool.extents, pool.free)
    devices = pool.devices.map {
      Device(
        path: $0.device, size: $0.deviceSize, extents: $0.extents, allocated: $0.allocated,
        missing: $0.isMissing)
    }
    volumes = pool.volumes.filter { !$0.isHidden }.map {
      Volume(
        name: $0.name, layout: $0.layout, size: $0.size, active: $0.isActive, open: $0.isOpen,
        origin: $0.origin,
        thinPool: $0.thinPool, usedPercent: $0.usedPercent)
    }
    map = pool.map.map { Segment(device: $0.device, start: $0.start, count: $0.count, volume: $0.volume) }
  }

  /// An embedded pool: its devices are the legs, each of which has all extents.
  init(_ report: PoolReport) {
    name = report.name
    (extentSize, extents, free) = (UInt64(report.extentSize), UInt64(report.extents), UInt64(report.free))
    let allocated = extents - min(free, extents)
    devices = report.legs.map {
      Device(
        path: $0.address, size: UInt64($0.size ?? 0), extents: UInt64(report.extents), allocated: allocated,
        missing: $0.status == .missing)
    }
    volumes = report.volumes.map {
      Volume(
        name: $0.name, layout: report.legs.count > 1 ? "mirror" : "linear", size: UInt64($0.size),
        active: report.server != nil, open: $0.isOpen)
    }
    map = report.map.map {
      Segment(
        device: report.mapDevice, start: UInt64($0.segment.start), count: UInt64($0.segment.count),
        volume: $0.volume)
    }
  }
}

/// What commands that change something print with `--json`.
struct VolumeProposalDocument: Encodable {
  struct StepDocument: Encodable {
    var reason, operation: String
  }
  var dryRun: Bool
  var changes: [String]
  var steps: [StepDocument]
  var warnings: [String]

  init(_ proposal: VolumeDriver.Proposal, dryRun: Bool) {
    self.dryRun = dryRun
    changes = proposal.changes.map(\.description)
    steps = proposal.plan.steps.map { StepDocument(reason: $0.reason, operation: $0.operation.display) }
    warnings = proposal.warnings
  }

  /// Changes that are made by no steps but in one piece.
  init(changes: [String], warnings: [String], dryRun: Bool) {
    (self.changes, self.warnings, self.dryRun) = (changes, warnings, dryRun)
    steps = []
  }
}
