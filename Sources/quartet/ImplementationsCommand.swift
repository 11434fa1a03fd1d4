import ArgumentParser
import LinuxHost
import Quartet
import TargetCore

struct ImplementationsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "implementations", abstract: "Lists the implementations, in the order of choice.",
    discussion: "EXAMPLE\n  quartet implementations --json")
  @OptionGroup var common: ImplementationOptions

  func run() async throws {
    let host = Machine.host
    var found: [ImplementationDocument] = []
    for descriptor in ImplementationChoice.all {
      let backend = try descriptor.make(common.settings(for: descriptor))
      found.append(ImplementationDocument(descriptor, await backend.probe(host)))
    }
    if common.json { return Output.json(found) }
    Output.table(
      ["NAME", "ALIASES", "INSTALLED", "RUNNING", "VERSION", "WHAT"],
      found.map { one in
        [
          one.name, one.aliases.isEmpty ? "-" : one.aliases.joined(separator: ","),
          one.installed ? "yes" : "no",
          one.running ? "yes" : "no", one.version ?? "-", one.summary,
        ]
      })
    for one in found where common.verbose {
      Report.message("\(one.name): \(one.detail)")
      for (name, meaning) in one.settings.sorted(by: { $0.key < $1.key }) {
        Report.message("  --setting \(name)=...: \(meaning)")
      }
    }
  }
}

private struct ImplementationDocument: Encodable {
  var name: String
  var aliases: [String]
  var summary: String
  var settings: [String: String]
  var installed, running: Bool
  var version: String?
  var detail: String

  init(_ descriptor: BackendDescriptor, _ probe: Probe) {
    name = descriptor.name
    aliases = descriptor.aliases
    summary = descriptor.summary
    settings = descriptor.settings
    installed = probe.installed
    running = probe.running
    version = probe.version
    detail = probe.detail
  }
}

struct StartCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "start", abstract: "Makes the implementation answer: loads its modules, starts its daemon.",
    discussion: """
      Does nothing when it answers already. A daemon started this way exports nothing until it is told to.

      EXAMPLE
        quartet start --implementation tgt --setting portals=192.168.0.100:3260
      """)
  @OptionGroup var common: ImplementationOptions

  func run() async throws {
    let implementation = try await common.implementation()
    let started = try await implementation.start(observe: Report.observer(verbose: common.verbose))
    Report.message("quartet: \(implementation.descriptor.name) \(started ? "is started" : "answers already")")
  }
}
