import ArgumentParser
import EmbeddedPool
import Glibc
import HostInterface
import ReplicatedVolume

/// `quartet volume status`.
struct VolumeStatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Shows what the resources and the embedded pools are doing.",
    discussion: """
      OUT-OF-SYNC is how much the copies may differ by. With --watch it goes on for as long as a resync or a
      verification runs. The peers of an embedded pool are its legs; `quartet pool status` shows the same.

      EXAMPLES
        quartet volume status
        quartet volume status vg1 --watch
      """)
  @OptionGroup var common: VolumeOptions
  @Flag(help: "Show it again every second until no resync or verification runs.") var watch = false
  @Argument(help: "The resource or embedded pool; all of them without it.") var name: String?

  func run() async throws {
    let wanted = try name.map { try ResourceName($0) }
    let driver = common.driver
    var lines = 0
    while true {
      let reports = try await embedded(wanted)
      // DRBD is not asked about a pool that cannot be its own.
      let state = wanted == nil || reports.isEmpty ? try await driver.read() : nil
      let names = try state.map { try selected(wanted, $0, beside: !reports.isEmpty) } ?? []
      let isBusy =
        names.contains { state?.status($0)?.isBusy == true } || reports.contains { $0.isBusy }
      if common.json {
        let places = common.embedded.places
        let pools = try reports.map { report in
          ResourceDocument(report, file: try places.description(of: PoolName(report.name)).string)
        }
        Output.json(pools + names.compactMap { name in state.map { ResourceDocument(name, in: $0) } })
      } else {
        lines = show(names, state, reports, over: watch ? lines : 0)
      }
      guard watch, isBusy else { return }
      try await driver.host.sleep(.seconds(1))
    }
  }

  private func embedded(_ wanted: ResourceName?) async throws -> [PoolReport] {
    guard let wanted else { return try await PoolCommand.reports(common) }
    guard let name = try? PoolName(wanted.description),
      let description = try common.embedded.description(of: name)
    else { return [] }
    return [try await common.embedded.report(description)]
  }

  private func selected(
    _ wanted: ResourceName?, _ state: VolumeState, beside embedded: Bool
  ) throws -> [ResourceName] {
    let all = Set(state.files.map(\.resource.name) + state.running.map(\.name)).sorted()
    guard let wanted else { return all }
    guard all.contains(wanted) || embedded else {
      throw Failure(
        .notFound, "resource \(wanted)", "does not exist, nor does an embedded pool of this name",
        remedy: "see `quartet volume status`")
    }
    return all.filter { $0 == wanted }
  }

  /// Prints the table, on a terminal over the lines of the one before it; returns how many lines it has.
  private func show(
    _ names: [ResourceName], _ state: VolumeState?, _ reports: [PoolReport], over lines: Int
  ) -> Int {
    let rows =
      reports.flatMap(\.statusRows) + names.flatMap { name in state.map { self.rows(name, $0) } ?? [] }
    let isTerminal = isatty(STDOUT_FILENO) == 1
    if isTerminal, lines > 0 { Output.text("\u{1b}[\(lines)A\u{1b}[J") }
    Output.table(
      [
        "RESOURCE", "VOL", "ROLE", "DISK", "SIZE", "PEER", "PEER-ROLE", "CONNECTION", "PEER-DISK",
        "OUT-OF-SYNC",
        "PROGRESS",
      ], rows)
    for report in reports { tell(report) }
    for name in names where state?.splitBrain.contains(name) == true {
      Report.warning(
        "resource \(name): both nodes wrote what the other has not (split brain); decide whose changes are given up, "
          + "and run `quartet volume resolve \(name) --victim NODE` on both")
    }
    return rows.isEmpty ? 0 : rows.count + 1
  }

  /// Says what is wrong with an embedded pool.
  private func tell(_ report: PoolReport) {
    for leg in report.legs {
      if let problem = leg.problem { Report.warning("pool \(report.name): leg \(leg.address): \(problem)") }
    }
    if let refusal = report.refusal { Report.warning(refusal.failure.description) }
  }

  private func rows(_ name: ResourceName, _ state: VolumeState) -> [[String]] {
    guard let status = state.status(name) else {
      return [[name.description, "-", "down", "-", "-", "-", "-", "-", "-", "-", "-"]]
    }
    let role = status.role.rawValue + (status.suspended.map { " (suspended: \($0))" } ?? "")
    return status.volumes.flatMap { volume -> [[String]] in
      let mine = [
        name.description, "\(volume.number)", role, volume.disk.rawValue, volume.size.map(shownBytes) ?? "-",
      ]
      guard !status.peers.isEmpty else { return [mine + ["-", "-", "-", "-", "-", "-"]] }
      return status.peers.map { peer in
        let theirs = peer.volumes.first { $0.number == volume.number }
        let isEstablished = theirs.map { [.off, .established].contains($0.replication) } ?? true
        return mine + [
          state.name(of: peer, in: name), peer.role.rawValue,
          isEstablished ? peer.connection.rawValue : theirs?.replication.rawValue ?? "-",
          theirs?.disk.rawValue ?? "-", theirs.map { shownBytes($0.outOfSync) } ?? "-",
          theirs.map(progress) ?? "-",
        ]
      }
    }
  }

  private func progress(_ volume: ResourceStatus.PeerVolume) -> String {
    guard let progress = volume.progress, volume.replication.isResync || volume.replication.isVerification
    else {
      return volume.paused.map { "paused by \($0)" } ?? "-"
    }
    let filled = Int((progress.fraction * 20).rounded(.down))
    var text = "[" + String(repeating: "=", count: filled) + String(repeating: ".", count: 20 - filled) + "]"
    let tenths = Int((progress.fraction * 1000).rounded(.down))
    text += " \(tenths / 10).\(tenths % 10)%"
    if let rate = progress.rate { text += " \(shownBytes(rate))/s" }
    if let left = progress.secondsLeft {
      let (minutes, seconds) = ((left / 60) % 60, left % 60)
      text += " \(left / 3600):\(minutes < 10 ? "0" : "")\(minutes):\(seconds < 10 ? "0" : "")\(seconds) left"
    }
    return text
  }
}
