import ArgumentParser
import Quartet
import TargetCore

struct AccessCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "access", abstract: "Says who may log in.",
    subcommands: [Allow.self, Deny.self, List.self])

  struct Allow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "allow", abstract: "Lets initiators log in to a target.",
      discussion: """
        EXAMPLES
          quartet access allow iqn.2011-12.com.example:disk1 iqn.1993-08.org.debian:01:web
          quartet access allow iqn.2011-12.com.example:disk1 192.168.0.0/24 fd00::7
        """)
    @OptionGroup var common: ImplementationOptions
    @OptionGroup var change: ChangeOptions
    @Argument(help: "The target's name.") var target: String
    @Argument(help: "Names, addresses, networks, or all.") var initiators: [String]

    func run() async throws {
      let name = try targetName(target)
      try await change.perform(common, initiators.map { .allow(name, try Initiator($0)) })
    }
  }

  struct Deny: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "deny",
      abstract: "Stops letting initiators log in; their sessions stay until they are closed.",
      discussion: "EXAMPLE\n  quartet access deny iqn.2011-12.com.example:disk1 192.168.0.0/24")
    @OptionGroup var common: ImplementationOptions
    @OptionGroup var change: ChangeOptions
    @Argument(help: "The target's name.") var target: String
    @Argument(help: "Entries as `quartet access list` shows them.") var initiators: [String]

    func run() async throws {
      let name = try targetName(target)
      try await change.perform(common, initiators.map { .deny(name, try Initiator($0)) })
    }
  }

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "Lists who may log in.", discussion: "EXAMPLE\n  quartet access list")
    @OptionGroup var common: ImplementationOptions
    @Argument(help: "The target's name; all targets without it.") var target: String?

    func run() async throws {
      let state = try await common.implementation().read()
      for remark in state.remarks { Report.warning(remark) }
      let targets = try Output.chosen(target, in: state)
      if common.json {
        return Output.json(targets.map { AccessDocument(target: $0.name, initiators: $0.initiators) })
      }
      Output.table(
        ["TARGET", "INITIATOR"],
        targets.flatMap { target in
          target.initiators.sorted().map { [target.name.description, $0.description] }
        })
    }
  }
}
