import ArgumentParser
import HostInterface
import Quartet
import ReplicatedVolume
import StateFile
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
    commandName: "apply", abstract: "Makes this node what a state file says, as far as its role goes.",
    discussion: """
      What the file does not name is left as it is; a list that it names is whole: what is there and not in it
      goes. Targets that it does not name stay, unless --prune is said. What will go is listed first. Applying
      twice changes nothing, and a run that was killed is finished by running it again.

      The same file is applied on every node. Resources are set up wherever they name the node; pools, their volumes
      and the targets on them only where the resource is primary. What is left out is listed with the reason. Nothing
      that holds data is removed or shrunk. No role is changed, unless --promote is said. Embedded pools (those with
      legs) are made on the node where the file is applied, and their volumes attached where targets export them.

      EXAMPLES
        quartet apply /etc/quartet/state.yaml
        quartet apply --promote /etc/quartet/state.yaml
        quartet apply --dry-run - < state.yaml
        quartet apply --format ietd.conf /etc/iet/ietd.conf
      """)
  @OptionGroup var common: ImplementationOptions
  @OptionGroup var change: ChangeOptions
  @OptionGroup var reconcile: ReconcileOptions
  @Flag(
    help: """
      Make this node primary for resources for which no node is. All nodes must be connected. New disks are copied from
      this node, or declared to be alike where the file says skipFirstSync.
      """) var promote = false
  @OptionGroup var input: InputOptions

  func run() async throws {
    let stack = try await StackFile.read(input, common)
    var options = StackOptions()
    options.perform = change.performOptions(common)
    options.reconciling = reconcile.reconciling
    options.promote = promote
    let quiet = common.json || change.dryRun
    options.perform.announce = { proposal in
      for warning in proposal.warnings { Report.warning(warning) }
      if !quiet { Output.list(proposal.changes.filter(\.removes)) }
    }
    Output.print(try await stack.apply(options), of: stack, dryRun: change.dryRun, json: common.json)
  }
}

struct DiffCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diff", abstract: "Shows what apply would change; exit status 2 when there is anything.",
    discussion: """
      What this node leaves out in its role is told, and is no difference.

      EXAMPLE
        quartet diff /etc/quartet/state.yaml && echo in sync
      """)
  @OptionGroup var common: ImplementationOptions
  @OptionGroup var reconcile: ReconcileOptions
  @OptionGroup var input: InputOptions

  func run() async throws {
    var options = StackOptions()
    options.perform.dryRun = true
    options.reconciling = reconcile.reconciling
    let report = try await StackFile.read(input, common).apply(options)
    for warning in report.warnings + report.targets.flatMap(\.1.warnings) { Report.warning(warning) }
    if common.json {
      Output.json(report.changes)
    } else {
      Output.list(report)
    }
    if !report.changes.isEmpty { throw ExitCode(ExitStatus.differs.rawValue) }
  }
}

struct ExportCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Prints what is there as a state file.",
    discussion: """
      Resources and pools are in it as far as this node sees them: a pool on a resource where that is primary.

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
    let volumes = format == nil && !common.json ? await volumes() : nil
    for remark in state.remarks { Report.warning(remark) }
    if let format { return Output.text(format.write(state)) }
    if common.json { return Output.json(StateDocument(state)) }
    let embedded = await LocalEngine().found()
    Output.text(
      StateFile.render(
        state, implementation: implementation.descriptor.name, volumes: volumes, embedded: embedded.pools,
        leftOut: embedded.leftOut))
  }

  /// What is below the targets; nil where there is nothing, or nothing that this user may see.
  private func volumes() async -> VolumeState? {
    let host = Machine.host
    guard host.executable("drbdadm") != nil || host.executable("lvm") != nil else { return nil }
    do { return try await VolumeDriver(on: host).read() } catch {
      Report.warning("resources and pools are left out: \(error)")
      return nil
    }
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
