import BlockEngine
import EmbeddedPool
import ReplicatedVolume

/// An embedded pool in the words of `quartet volume status`, which are DRBD's: its legs are what peers are there.
extension PoolReport.Leg {
  /// Whether it gets what is written.
  var connection: ResourceStatus.Connection {
    switch status {
    case .upToDate, .syncing, .outdated: .connected
    case .dropped, .missing, .diverged: .standAlone
    }
  }

  /// What its data are worth.
  var disk: ResourceStatus.Disk {
    switch status {
    case .upToDate: .upToDate
    case .syncing: .inconsistent
    case .outdated, .diverged: .outdated
    case .dropped: .failed
    case .missing: .unknown
    }
  }

  /// What goes on between it and the others.
  func replication(in pool: PoolReport) -> ResourceStatus.Replication {
    switch status {
    case .syncing: .syncTarget
    case .upToDate where pool.job?.kind == "verify" && pool.job?.isRunning == true: .verifySource
    case .upToDate: .established
    case .outdated, .dropped, .missing, .diverged: .off
    }
  }
}

extension PoolReport {
  /// The part of a resync or verification that is done.
  var fraction: Double? {
    if let left = resyncLeft, let total = resyncTotal, total > 0 {
      return Double(max(0, total - left)) / Double(total)
    }
    guard let job, job.isRunning, job.total > 0 else { return nil }
    return Double(job.done) / Double(job.total)
  }

  /// Whether something goes on whose end can be waited for.
  var isBusy: Bool { server != nil && (legs.contains { $0.status == .syncing } || job?.isRunning == true) }

  /// The rows of `quartet volume status`, one a leg.
  var statusRows: [[String]] {
    let role = server.map { "served (\($0))" } ?? "-"
    let disk = legs.contains { $0.status == .upToDate } ? "UpToDate" : "Failed"
    return legs.map { leg in
      let isBehind = leg.status != .upToDate
      return [
        name, "-", role, disk, shownBytes(UInt64(extents) * UInt64(extentSize)), leg.address, "leg",
        leg.status == .syncing
          ? leg.replication(in: self).rawValue
          : leg.status == .diverged ? "split brain" : leg.connection.rawValue, leg.disk.rawValue,
        isBehind ? shownBytes(UInt64(outOfSync)) : "0 B",
        leg.status == .syncing || job?.isRunning == true ? PoolProgress.text(self) ?? "-" : "-",
      ]
    }
  }
}

extension ResourceDocument {
  /// An embedded pool, with its legs as peers.
  init(_ report: PoolReport, file: String) {
    name = report.name
    self.file = file
    engine = "embedded"
    up = report.server != nil
    role = up ? ResourceStatus.Role.primary.rawValue : nil
    splitBrain = report.isSplitBrain
    let disk: ResourceStatus.Disk = report.legs.contains { $0.status == .upToDate } ? .upToDate : .failed
    let size = UInt64(report.extents) * UInt64(report.extentSize)
    volumes = [Volume(number: 0, minor: nil, disk: disk.rawValue, size: size)]
    peers = report.legs.map { leg in
      let isBehind = leg.status != .upToDate
      let progress = leg.status == .syncing || leg.replication(in: report).isVerification
      return Peer(
        name: leg.address, connection: leg.connection.rawValue, role: ResourceStatus.Role.secondary.rawValue,
        volumes: [
          PeerVolume(
            number: 0, replication: leg.replication(in: report).rawValue, disk: leg.disk.rawValue,
            outOfSync: isBehind ? UInt64(report.outOfSync) : 0, received: 0, sent: 0,
            progress: progress ? report.fraction : nil)
        ], problem: leg.problem)
    }
    pools = [report.name]
    events = report.events
    problem = report.refusal.map { $0.failure.description }
  }
}
