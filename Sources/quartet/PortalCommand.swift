import ArgumentParser
import HostInterface
import Quartet
import TargetCore

struct PortalCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "portal", abstract: "Lists, adds and removes portals.",
    discussion: "With implementations whose targets share their portals (tgt), no target is named.",
    subcommands: [List.self, Add.self, Remove.self])

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "Lists the portals.", discussion: "EXAMPLE\n  quartet portal list")
    @OptionGroup var common: ImplementationOptions

    func run() async throws {
      let state = try await common.implementation().read(ReadDetail(shared: true))
      var rows = state.portals.sorted().map { ["-", $0.description] }
      for target in state.targets.values.sorted(by: { $0.name < $1.name }) {
        rows += (target.portals ?? []).sorted().map { [target.name.description, $0.description] }
      }
      if common.json {
        return Output.json(rows.map { PortalDocument(target: $0[0] == "-" ? nil : $0[0], portal: $0[1]) })
      }
      Output.table(["TARGET", "PORTAL"], rows)
    }
  }

  struct Add: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "add", abstract: "Adds a portal.",
      discussion: "EXAMPLES\n  quartet portal add 192.168.0.100:3260\n  quartet portal add '[fd00::1]:3260'")
    @OptionGroup var common: ImplementationOptions
    @OptionGroup var change: ChangeOptions
    @Argument(help: "ADDRESS[:PORT], IPv6 in brackets.") var portal: String
    @Option(help: "The target, where targets have their own portals.") var target: String?

    func run() async throws {
      try await change.perform(common, [.addPortal(target.map { try targetName($0) }, Portal(portal))])
    }
  }

  struct Remove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "remove", abstract: "Removes a portal; sessions through it stay.",
      discussion: "EXAMPLE\n  quartet portal remove 192.168.0.100:3260")
    @OptionGroup var common: ImplementationOptions
    @OptionGroup var change: ChangeOptions
    @Argument(help: "The portal as `quartet portal list` shows it.") var portal: String
    @Option(help: "The target, where targets have their own portals.") var target: String?

    func run() async throws {
      try await change.perform(common, [.removePortal(target.map { try targetName($0) }, Portal(portal))])
    }
  }
}
