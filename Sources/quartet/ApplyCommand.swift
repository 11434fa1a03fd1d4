import ArgumentParser
import Glibc
import HostInterface
import LinuxHost
import Quartet
import ReplicatedVolume
import StateFile
import SystemPackage
import TargetCore

/// How far a reconciliation may go.
struct ReconcileOptions: ParsableArguments {
  @Flag(help: "Delete targets that the file does not name.") var prune = false
  @Flag(help: "Remove logical units and targets although initiators are logged in.") var force = false
  @Flag(help: "Give accounts that are there their secrets anew.") var rewriteSecrets = false

  var reconciling: Reconciler.Options {
    Reconciler.Options(prune: prune, force: force, rewriteSecrets: rewriteSecrets)
  }
}

/// What is to be exported.
struct InputOptions: ParsableArguments {
  @Option(help: "What the file is written in, when it is an implementation's own: \(Formats.names).")
  var format: String?
  @Argument(help: "The state file, or - for standard input.") var file: String
}

struct ApplyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apply", abstract: "Makes the machine export what a state file says.",
    discussion: """
      What the file does not name is left as it is; a list that it names is whole: what is there and not in it
      goes. Targets that it does not name stay, unless --prune is said. What will go is listed first. Applying
      twice changes nothing, and a run that was killed is finished by running it again.

      EXAMPLES
        quartet apply /etc/quartet/state.yaml
        quartet apply --dry-run - < state.yaml
        quartet apply --format ietd.conf /etc/iet/ietd.conf
      """)
  @OptionGroup var common: ImplementationOptions
  @OptionGroup var change: ChangeOptions
  @OptionGroup var reconcile: ReconcileOptions
  @OptionGroup var input: InputOptions

  func run() async throws {
    for part in try await StateParts.read(input, common) {
      var options = change.performOptions(common)
      let quiet = common.json || change.dryRun
      options.announce = { proposal in
        for warning in proposal.warnings { Report.warning(warning) }
        if !quiet { Output.list(proposal.changes.filter(\.removes)) }
      }
      let proposal = try await part.implementation.apply(
        part.state, reconciling: reconcile.reconciling, options: options)
      var shown = proposal
      if !quiet { shown.changes.removeAll(where: \.removes) }
      if shown.changes.isEmpty, !proposal.changes.isEmpty, !quiet { continue }
      Output.print(
        shown, dryRun: change.dryRun, json: common.json,
        implementation: part.implementation.descriptor.name)
    }
  }
}

struct DiffCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diff", abstract: "Shows what apply would change; exit status 2 when there is anything.",
    discussion: "EXAMPLE\n  quartet diff /etc/quartet/state.yaml && echo in sync")
  @OptionGroup var common: ImplementationOptions
  @OptionGroup var reconcile: ReconcileOptions
  @OptionGroup var input: InputOptions

  func run() async throws {
    var all: [Change] = []
    for part in try await StateParts.read(input, common) {
      all += try await part.implementation.difference(part.state, reconciling: reconcile.reconciling)
    }
    if common.json {
      Output.json(all.map(\.description))
    } else {
      Output.list(all)
    }
    if !all.isEmpty { throw ExitCode(ExitStatus.differs.rawValue) }
  }
}

struct ExportCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Prints what is exported as a state file.",
    discussion: """
      With --format the implementation's own configuration file is printed, from
      which its tools restore everything when the machine starts. It has the CHAP
      secrets in it.

      EXAMPLES
        quartet export > /etc/quartet/state.yaml
        (umask 077; quartet export -i iet --format ietd.conf > /etc/iet/ietd.conf)
      """)
  @OptionGroup var common: ImplementationOptions
  @Option(help: "The implementation's own configuration file: \(Formats.names).") var format: String?

  func run() async throws {
    let implementation = try await common.implementation()
    let format = try format.map { try Formats.format($0, of: implementation.descriptor) }
    let state = try await implementation.read(ReadDetail(parameters: .all, shared: true))
    for remark in state.remarks { Report.warning(remark) }
    if let format { return Output.text(format.write(state)) }
    if common.json { return Output.json(StateDocument(state)) }
    Output.text(StateFile.render(state, implementation: implementation.descriptor.name))
  }
}

struct SchemaCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "schema", abstract: "Prints the JSON Schema of state files.",
    discussion: "EXAMPLE\n  quartet schema > quartet-state.schema.json")

  func run() { Output.text(StateFile.schema) }
}

/// The configuration files that implementations have of their own.
enum Formats {
  /// The names of all.
  static var names: String {
    let names = ImplementationChoice.all.flatMap(\.formats.keys).sorted()
    return names.isEmpty ? "none" : names.joined(separator: ", ")
  }

  /// The format of a name, and whose it is.
  ///
  /// - Throws: ``Failure`` with code `invalid` that lists the names.
  static func format(_ name: String) throws -> (BackendDescriptor, ConfigurationFormat) {
    for descriptor in ImplementationChoice.all {
      if let format = descriptor.formats[name] { return (descriptor, format) }
    }
    throw Failure(.invalid, "format \(name.debugDescription)", "is not known", remedy: "use \(names)")
  }

  /// The same for one implementation.
  static func format(_ name: String, of descriptor: BackendDescriptor) throws -> ConfigurationFormat {
    guard let format = descriptor.formats[name] else {
      let own = descriptor.formats.keys.sorted().joined(separator: ", ")
      throw Failure(
        .invalid, "format \(name.debugDescription)", "is none of \(descriptor.name)",
        remedy: own.isEmpty ? "leave --format out, it has no configuration file of its own" : "use \(own)")
    }
    return format
  }
}

/// The parts of a state file, one an implementation.
private struct StateParts {
  static func read(_ input: InputOptions, _ common: ImplementationOptions) async throws -> [(
    implementation: Implementation, state: DesiredState
  )] {
    let host = Machine.host
    let file = input.file
    let bytes = file == "-" ? try standardInput() : try host.read(FilePath(file))
    if let name = input.format {
      let (owner, format) = try Formats.format(name)
      let parsed = try format.read(String(decoding: bytes, as: UTF8.self))
      for warning in parsed.warnings { Report.warning(warning) }
      let isChosen = common.implementation != nil || environment("QUARTET_IMPLEMENTATION") != nil
      return [(try await common.implementation(named: isChosen ? nil : owner.name), parsed.state)]
    }
    let parsed = try StateFile.parse(
      bytes, named: file == "-" ? "standard input" : file, secrets: HostSecrets(files: host),
      place: { try PoolPlaces.usual.place(of: $0, on: host) })
    for warning in parsed.warnings { Report.warning(warning) }
    var names: [String?] = []
    for name in parsed.state.targets.map(\.implementation) where !names.contains(name) { names.append(name) }
    if names.isEmpty { names = [nil] }
    var parts: [(implementation: Implementation, state: DesiredState)] = []
    for name in names {
      let implementation = try await common.implementation(named: name)
      let targets = parsed.state.targets.filter { $0.implementation == name }
      if let index = parts.firstIndex(where: {
        $0.implementation.descriptor.name == implementation.descriptor.name
      }) {
        parts[index].state.targets += targets
      } else {
        parts.append((implementation, DesiredState(targets: targets, discovery: parsed.state.discovery)))
      }
    }
    return parts
  }

  /// Standard input to its end; one byte over the limit is enough to refuse it.
  private static func standardInput() throws -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while bytes.count <= StateFile.sizeLimit {
      let count = try buffer.withUnsafeMutableBytes { try FileDescriptor.standardInput.read(into: $0) }
      if count == 0 { break }
      bytes += buffer.prefix(count)
    }
    return bytes
  }
}
