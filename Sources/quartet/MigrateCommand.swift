import ArgumentParser
import HostInterface
import LinuxHost
import Quartet
import ReplicatedVolume
import StateFile
import SystemPackage
import TargetCore

struct MigrateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "migrate", abstract: "Moves targets from one implementation to another.",
    discussion: """
      The destination gets the targets with their logical units, numbers, serials,
      SCSI ids, access and accounts, out of service. Then the source goes out of
      service, its sessions are closed, the destination goes into service, and
      when it reads back right the targets are removed from the source. When the
      destination fails it is undone, and the source serves again. A run that was
      killed is finished by running it again.

      What would not carry over is listed first, and needs --accept-losses.

      EXAMPLES
        quartet migrate --from tgt --to lio --dry-run
        quartet migrate --from tgt --to lio --supplement state.yaml --accept-losses
        quartet migrate --from iet --to scst --to-setting port=3261 --portal 192.168.0.100:3261 \\
          iqn.2011-12.com.example:disk1
      """)
  @Option(help: "The implementation that has the targets.") var from: String
  @Option(help: "The implementation that is to have them.") var to: String
  @Option(help: "A setting of the source, NAME=VALUE; see `quartet implementations`; may be repeated.")
  var fromSetting: [String] = []
  @Option(help: "A setting of the destination, NAME=VALUE; may be repeated.") var toSetting: [String] = []
  @Option(
    name: .customLong("portal"),
    help: "Where the destination serves, instead of where the source does; may be repeated.")
  var portals: [String] = []
  @Option(
    help: "A state file with what the source does not tell: secrets of CHAP accounts, serials, SCSI ids.")
  var supplement: String?
  @Option(help: "What that file is written in, when it is an implementation's own: \(Formats.names).")
  var supplementFormat: String?
  @Flag(help: "Go on although something does not carry over.") var acceptLosses = false
  @Flag(help: "Where the destination can keep only one of WWID and serial number (lio), keep the WWID.")
  var keepWwid = false
  @OptionGroup var change: ChangeOptions
  @Flag(help: "Print the result as JSON.") var json = false
  @Flag(name: .shortAndLong, help: "Show the steps as they run.") var verbose = false
  @Argument(help: "The targets; all without any.") var targets: [String] = []

  func run() async throws {
    var options = Migration.Options()
    options.targets = targets.isEmpty ? nil : Set(try targets.map(targetName))
    options.portals = portals.isEmpty ? nil : try portals.map { try Portal($0) }
    options.acceptsLosses = acceptLosses
    options.givesUpSerial = keepWwid
    options.supplement = try supplementState()
    options.directory = FilePath(environment("QUARTET_LOCK_DIR") ?? "/run/quartet")
    options.perform = change.performOptions(verbose: verbose)
    let (dryRun, json) = (change.dryRun, json)
    options.announce = { report in
      if dryRun || json { return }
      for remark in report.remarks { Report.warning(remark) }
      if report.isResumed { Report.message("quartet: finishing the migration that was begun") }
      Output.text(report.losses.map { "! \($0)\n" }.joined())
    }
    let migration = try Migration(
      from: implementation(from, fromSetting), to: implementation(to, toSetting), options: options)
    let report = try await migration.run()
    if json { return Output.json(MigrationDocument(report, dryRun: dryRun)) }
    if report.targets.isEmpty { Report.message("quartet: nothing to do") }
    if dryRun {
      for remark in report.remarks { Report.warning(remark) }
      Output.text(report.losses.map { "! \($0)\n" }.joined())
    }
    for part in report.parts {
      Output.text("# \(part.implementation): \(part.title)\n")
      let steps = part.plan.steps.map { $0.operation.display + "\n" }
      if dryRun, !steps.isEmpty { Output.text(steps.joined()) } else { Output.list(part.changes) }
    }
  }

  private func implementation(_ name: String, _ settings: [String]) throws -> Implementation {
    let descriptor = try ImplementationChoice.named(name)
    var chosen: [String: String] = [:]
    if descriptor.settings["socket"] != nil, let socket = environment("TGT_IPC_SOCKET") {
      chosen["socket"] = socket
    }
    for pair in settings {
      let (name, value) = try nameAndValue(pair)
      chosen[name] = value
    }
    return try Implementation(descriptor, settings: chosen, on: Machine.host)
  }

  private func supplementState() throws -> DesiredState {
    guard let supplement else { return DesiredState() }
    let bytes = try Machine.host.read(FilePath(supplement))
    if let supplementFormat {
      return try Formats.format(supplementFormat).1.read(String(decoding: bytes, as: UTF8.self)).state
    }
    let parsed = try StateFile.parse(
      bytes, named: supplement, secrets: HostSecrets(files: Machine.host),
      place: { try PoolPlaces.usual.place(of: $0, on: Machine.host) })
    for warning in parsed.warnings { Report.warning(warning) }
    return parsed.state
  }
}

/// The JSON of a migration.
private struct MigrationDocument: Encodable {
  struct Part: Encodable {
    var implementation: String
    var title: String
    var changes: [String]
    var steps: [String]
  }
  var dryRun: Bool
  var resumed: Bool
  var targets: [String]
  var losses: [String]
  var remarks: [String]
  var parts: [Part]

  init(_ report: Migration.Report, dryRun: Bool) {
    self.dryRun = dryRun
    resumed = report.isResumed
    targets = report.targets.map(\.description)
    losses = report.losses
    remarks = report.remarks
    parts = report.parts.map { part in
      Part(
        implementation: part.implementation, title: part.title, changes: part.changes.map(\.description),
        steps: part.plan.steps.map(\.operation.display))
    }
  }
}
