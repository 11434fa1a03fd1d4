import ArgumentParser
import Quartet
import TargetCore

struct SessionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "session", abstract: "Lists and closes sessions.", subcommands: [List.self, Close.self])

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "Lists the sessions with their connections.",
      discussion: "EXAMPLE\n  quartet session list --statistics --json")
    @OptionGroup var common: ImplementationOptions
    @Argument(help: "The target's name; all targets without it.") var target: String?
    @Flag(help: "With the counters of each session.") var statistics = false

    func run() async throws {
      let scope = try target.map { ReadDetail.Scope.some([try targetName($0)]) } ?? .all
      let detail = ReadDetail(parameters: scope, statistics: statistics ? scope : .none)
      let state = try await common.implementation().read(detail)
      let targets = try Output.chosen(target, in: state)
      if common.json {
        return Output.json(
          targets.flatMap { target in target.sessions.map { SessionDocument($0, target: target.name) } })
      }
      var heading = ["TARGET", "SESSION", "INITIATOR", "CONNECTIONS"]
      if statistics { heading.append("STATISTICS") }
      Output.table(
        heading,
        targets.flatMap { target in
          target.sessions.map { session in
            let counters = session.statistics.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            let row = [
              target.name.description, session.id, session.initiator,
              session.connections.map { "\($0.id)@\($0.address?.description ?? "?")" }.joined(separator: ","),
            ]
            return statistics ? row + [counters.joined(separator: " ")] : row
          }
        })
    }
  }

  struct Close: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "close", abstract: "Closes a session; an initiator that may log in comes back at once.",
      discussion: "EXAMPLE\n  quartet session close iqn.2011-12.com.example:disk1 7")
    @OptionGroup var common: ImplementationOptions
    @OptionGroup var change: ChangeOptions
    @Argument(help: "The target's name.") var target: String
    @Argument(help: "The session as `quartet session list` shows it.") var session: String

    func run() async throws {
      try await change.perform(common, [.closeSession(targetName(target), id: session)])
    }
  }
}
