import ArgumentParser
import HostInterface
import Synchronization
import SystemPackage

@testable import quartet_cli

/// What a command printed, and its exit status.
struct CommandOutcome {
  var status: Int32
  var output: String
  var errors: String
}

/// Texts by the descriptor that they were written to.
private final class Sink: Sendable {
  let texts = Mutex<[Int32: String]>([:])
}

extension FourTargets {
  /// Runs a command of `quartet` on this machine.
  func quartet(_ words: [String]) async -> CommandOutcome { await CommandOutcome(of: words, on: host) }

  func quartet(_ words: String...) async -> CommandOutcome { await quartet(words) }
}

extension CommandOutcome {
  /// Runs a command of `quartet` on a machine.
  init(of words: [String], on host: any Host) async {
    let sink = Sink()
    let status = await Machine.$host.withValue(host) {
      await Machine.$sink.withValue({ text, descriptor in
        sink.texts.withLock { $0[descriptor, default: ""] += text }
      }) {
        await Self.status(of: words)
      }
    }
    let texts = sink.texts.withLock { $0 }
    self.init(status: status, output: texts[1] ?? "", errors: texts[2] ?? "")
  }

  private static func status(of words: [String]) async -> Int32 {
    do {
      var command = try QuartetCommand.parseAsRoot(words)
      if var asynchronous = command as? any AsyncParsableCommand {
        try await asynchronous.run()
      } else {
        try command.run()
      }
      return 0
    } catch {
      return Main.told(error)?.rawValue ?? QuartetCommand.exitCode(for: error).rawValue
    }
  }
}
