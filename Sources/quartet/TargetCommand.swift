import ArgumentParser
import HostInterface
import Quartet
import TargetCore

struct TargetCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "target", abstract: "Lists, creates, changes and deletes targets.",
    subcommands: [List.self, Show.self, Create.self, Delete.self, Enable.self, Disable.self, SetCommand.self])

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "Lists the targets.", discussion: "EXAMPLE\n  quartet target list --json"
    )
    @OptionGroup var common: ImplementationOptions

    func run() async throws {
      let state = try await common.implementation().read()
      for remark in state.remarks { Report.warning(remark) }
      if common.json { return Output.json(StateDocument(state)) }
      Output.table(
        ["TARGET", "ID", "STATE", "LUNS", "SESSIONS", "ACCESS"],
        state.targets.values.sorted { $0.name < $1.name }.map { target in
          [
            target.name.description, target.id.map(String.init) ?? "-",
            target.enabled ? "enabled" : "disabled",
            String(target.units.count), String(target.sessions.count), Output.access(target),
          ]
        })
    }
  }

  struct Show: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "show", abstract: "Shows everything of one target.",
      discussion: "EXAMPLE\n  quartet target show iqn.2011-12.com.example:disk1")
    @OptionGroup var common: ImplementationOptions
    @Argument(help: "The target's name.") var name: String

    func run() async throws {
      let name = try targetName(name)
      let detail = ReadDetail(parameters: .some([name]), shared: true, statistics: .some([name]))
      let state = try await common.implementation().read(detail)
      guard let target = state.targets[name] else {
        throw Failure(.notFound, "target \(name)", "does not exist", remedy: "see `quartet target list`")
      }
      if common.json { return Output.json(TargetDocument(target)) }
      Output.show(target, sharedPortals: state.portals)
    }
  }

  struct Create: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "create",
      abstract: "Creates a target, with its logical units and access where they are named.",
      discussion: """
        Nobody may log in unless --allow says so; CHAP is set with `quartet chap set` or in a state file.

        EXAMPLES
          quartet target create iqn.2011-12.com.example:disk1 --lun 1=/srv/disk1 --allow 192.168.0.0/24
          quartet target create iqn.2011-12.com.example:empty
        """)
    @OptionGroup var common: ImplementationOptions
    @OptionGroup var change: ChangeOptions
    @Argument(help: "The new target's name: iqn., eui. or naa.") var name: String
    @Option(help: "The number it gets, where the implementation numbers targets.") var id: UInt32?
    @Option(name: .customLong("lun"), help: "A logical unit, LUN=PATH; may be repeated.") var units:
      [String] = []
    @Option(
      name: .customLong("allow"),
      help: "Who may log in: a name, an address, a network, or all; may be repeated.")
    var initiators: [String] = []

    func run() async throws {
      let name = try TargetName(name)
      var spec = TargetSpec(name: name)
      spec.id = id
      spec.units = try units.map { text in
        let (lun, path) = try nameAndValue(text)
        return LogicalUnit(lun: try LUN(lun), backing: try Backing(path: path))
      }
      spec.initiators = try initiators.map { try Initiator($0) }
      let implementation = try await common.implementation()
      let reconciler = Reconciler(capabilities: implementation.backend.capabilities)
      let changes = try reconciler.changes(to: DesiredState(targets: [spec]), from: LiveState())
      try await change.perform(common, changes)
    }
  }

  struct Delete: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "delete", abstract: "Deletes a target with its logical units; the data stays.",
      discussion: """
        Refused while initiators are logged in. With --force logins are refused first, then the connections are
        closed and their end is awaited, for at most ten seconds.

        EXAMPLE
          quartet target delete iqn.2011-12.com.example:disk1 --force
        """)
    @OptionGroup var common: ImplementationOptions
    @OptionGroup var change: ChangeOptions
    @Argument(help: "The target's name.") var name: String
    @Flag(help: "Also when initiators are logged in.") var force = false

    func run() async throws {
      try await change.perform(common, [.deleteTarget(targetName(name), force: force)])
    }
  }

  struct Enable: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "enable", abstract: "Takes a target into service.",
      discussion: "EXAMPLE\n  quartet target enable iqn.2011-12.com.example:disk1")
    @OptionGroup var common: ImplementationOptions
    @OptionGroup var change: ChangeOptions
    @Argument(help: "The target's name.") var name: String

    func run() async throws { try await change.perform(common, [.enableTarget(targetName(name))]) }
  }

  struct Disable: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "disable", abstract: "Takes a target out of service; it stays configured.",
      discussion: "EXAMPLE\n  quartet target disable iqn.2011-12.com.example:disk1")
    @OptionGroup var common: ImplementationOptions
    @OptionGroup var change: ChangeOptions
    @Argument(help: "The target's name.") var name: String

    func run() async throws { try await change.perform(common, [.disableTarget(targetName(name))]) }
  }

  struct SetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "set", abstract: "Sets session parameters, or the implementation's own attributes.",
      discussion: """
        Names of RFC 7143 are session parameters; others are attributes of the implementation. Sessions that exist
        keep what they negotiated.

        EXAMPLES
          quartet target set iqn.2011-12.com.example:disk1 MaxBurstLength=1048576 DefaultTime2Retain=60
          quartet target set iqn.2011-12.com.example:disk1 nop_interval=5 nop_count=3
        """)
    @OptionGroup var common: ImplementationOptions
    @OptionGroup var change: ChangeOptions
    @Argument(help: "The target's name.") var name: String
    @Argument(help: "NAME=VALUE, one or more.") var settings: [String]

    func run() async throws {
      let name = try targetName(name)
      let attributes = try await common.implementation().backend.capabilities.targetAttributes
      let changes = try settings.map { text -> Change in
        let (key, value) = try nameAndValue(text)
        if attributes.contains(key) { return .setAttribute(name, key, value) }
        let parameter = try SessionParameter(named: key)
        return .setParameter(name, parameter, try parameter.normalized(value))
      }
      try await change.perform(common, changes)
    }
  }
}
