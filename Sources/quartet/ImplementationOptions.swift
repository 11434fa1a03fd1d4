import ArgumentParser
import Glibc
import HostInterface
import LinuxHost
import Quartet
import TargetCore

/// Options of every command.
struct ImplementationOptions: ParsableArguments {
  @Option(
    name: [.short, .customLong("implementation")],
    help:
      "The implementation: iet, tgt, lio, lio-t or scst. Else QUARTET_IMPLEMENTATION, else what is installed."
  )
  var implementation: String?

  @Option(
    name: .customLong("setting"),
    help: "A setting of the implementation, NAME=VALUE; see `quartet implementations`.")
  var settings: [String] = []

  @Option(name: [.customShort("C"), .customLong("control-port")], help: "The control port of tgtd.")
  var controlPort: String?

  @Flag(help: "Print the result as JSON.")
  var json = false

  @Flag(name: .shortAndLong, help: "Show the steps as they run.")
  var verbose = false

  /// The implementation that the options name, on this machine.
  func implementation(named name: String? = nil) async throws -> Implementation {
    let host = Machine.host
    let wanted = name ?? implementation ?? environment("QUARTET_IMPLEMENTATION")
    let descriptor =
      if let wanted { try ImplementationChoice.named(wanted) } else {
        try await ImplementationChoice.installed(on: host)
      }
    return try Implementation(descriptor, settings: settings(for: descriptor), on: host)
  }

  /// The settings for an implementation, from options and environment.
  func settings(for descriptor: BackendDescriptor) throws -> [String: String] {
    var chosen: [String: String] = [:]
    if descriptor.settings["socket"] != nil, let socket = environment("TGT_IPC_SOCKET") {
      chosen["socket"] = socket
    }
    for pair in settings {
      let (name, value) = try nameAndValue(pair)
      chosen[name] = value
    }
    if let controlPort { chosen["control-port"] = controlPort }
    return chosen
  }
}

/// Options of commands that change something.
struct ChangeOptions: ParsableArguments {
  @Flag(
    name: [.customLong("dry-run"), .customShort("n")], help: "Print the exact operations and change nothing.")
  var dryRun = false

  @Option(help: "How many seconds to wait for another quartet.")
  var lockWait = 30

  @Flag(help: "Export a backing although a logical unit exports it already.")
  var sharedBacking = false

  func performOptions(_ common: ImplementationOptions) -> PerformOptions {
    performOptions(verbose: common.verbose)
  }

  func performOptions(verbose: Bool) -> PerformOptions {
    var options = PerformOptions()
    options.dryRun = dryRun
    options.lockLimit = .seconds(max(0, min(lockWait, 86_400)))
    options.sharedBacking = sharedBacking
    options.observe = Report.observer(verbose: verbose)
    return options
  }

  /// Makes changes and prints what was done.
  func perform(_ common: ImplementationOptions, _ changes: [Change]) async throws {
    let implementation = try await common.implementation()
    let proposal = try await implementation.perform(changes, options: performOptions(common))
    for warning in proposal.warnings { Report.warning(warning) }
    Output.print(proposal, dryRun: dryRun, json: common.json, implementation: implementation.descriptor.name)
  }
}

/// An environment variable that is set and not empty.
func environment(_ name: String) -> String? {
  guard let value = getenv(name) else { return nil }
  let text = String(cString: value)
  return text.isEmpty ? nil : text
}

/// Splits `NAME=VALUE`.
///
/// - Throws: ``Failure`` with code `invalid` when there is no `=`.
func nameAndValue(_ text: String) throws -> (String, String) {
  let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
  guard parts.count == 2, !parts[0].isEmpty else {
    throw Failure(.invalid, "argument \(text.debugDescription)", "is no NAME=VALUE")
  }
  return (String(parts[0]), String(parts[1]))
}

/// A target's name as the user gives it; one that exists may be spelt in ways that a new one may not.
func targetName(_ text: String) throws -> TargetName {
  do { return try TargetName(text) } catch let failure as Failure {
    let looksFound = text.hasPrefix("iqn.") || text.hasPrefix("eui.") || text.hasPrefix("naa.")
    guard looksFound, text.utf8.count <= 223, !text.contains(".."), let name = TargetName(asFound: text)
    else {
      throw failure
    }
    return name
  }
}
