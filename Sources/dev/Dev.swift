import ArgumentParser
import HostInterface

/// What developers of Quartet run: `swift run dev ...`.
@main
struct Dev: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dev", abstract: "Demonstrates and measures Quartet, and runs it on a kernel.",
    subcommands: [
      DemoCommand.self, BenchCommand.self, PlanCommand.self, VMCommand.self, ReplayCommand.self,
      EngineMemoryCommand.self,
    ])
}
