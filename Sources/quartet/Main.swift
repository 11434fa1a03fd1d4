import ArgumentParser
import Glibc
import HostInterface

/// The command line's entry: parses, runs, and turns a failure into one line and an exit status.
@main
struct Main {
  static func main() {
    do {
      var command = try QuartetCommand.parseAsRoot()
      guard let asynchronous = command as? any AsyncParsableCommand else { return try command.run() }
      BlockingThreads.runHere({ await run(asynchronous) }, started: Interruption.cancels)
    } catch {
      end(with: error)
    }
  }

  private static func run(_ command: any AsyncParsableCommand) async {
    var command = command
    do { try await command.run() } catch { end(with: error) }
  }

  private static func end(with error: any Error) -> Never {
    if let status = told(error) { exit(status.rawValue) }
    QuartetCommand.exit(withError: error)
  }

  /// Tells a failure; nil for what the parser of the command line tells itself.
  static func told(_ error: any Error) -> ExitStatus? {
    switch error {
    case let failure as Failure:
      Report.failure(failure)
      return ExitStatus(failure)
    case is CancellationError:
      Report.failure(Failure(.interrupted, "quartet", "interrupted, nothing was left half done"))
      return .interrupted
    default: return nil
    }
  }
}

/// The root of the commands.
struct QuartetCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "quartet",
    abstract: "Exports disks over iSCSI, with whichever of Linux's targets is there.",
    discussion: """
      The implementation is the one of --implementation, else of
      QUARTET_IMPLEMENTATION, else the first that is installed, in the order
      that `quartet implementations` shows.

      EXAMPLES
        Export a file to one initiator:
          quartet target create iqn.2011-12.com.example:disk1 \\
            --lun 1=/srv/disk1 --allow iqn.1993-08.org.debian:01:web
        See what a command would do, as an administrator would type it:
          quartet lun add iqn.2011-12.com.example:disk1 2 /dev/vg1/b --dry-run
        Make the machine export what a file says, and see what differs:
          quartet apply /etc/quartet/state.yaml
          quartet diff /etc/quartet/state.yaml

      EXIT STATUS
          0  done, or already so
          1  failed, and what was begun is undone
          2  `diff` found differences
          3  invalid, or this implementation cannot do it; nothing was touched
          4  not found
          5  already there
          6  in use
          7  no permission
          8  no implementation answers
          9  a limit of time ran out, or another quartet holds the lock
         10  failed, and not all could be undone: what is left is listed
         64  wrong usage
        130  interrupted, and what was begun is undone
      """,
    version: "quartet 0.1.0",
    subcommands: [
      TargetCommand.self, LUNCommand.self, AccessCommand.self, CHAPCommand.self, PortalCommand.self,
      SessionCommand.self, ApplyCommand.self, DiffCommand.self, ExportCommand.self, SchemaCommand.self,
      VolumeCommand.self, PoolCommand.self, ImplementationsCommand.self, StartCommand.self,
      MigrateCommand.self,
    ])
}
