import HostInterface
import Simulation
import SystemPackage

/// Programs of the system, as far as they meet IET.
extension SimulatedIET {
  private func isList(_ path: String) -> Bool {
    [ProcDirectory.volume, ProcDirectory.session].contains(FilePath(path))
  }

  private func failed(_ status: Int32, _ errors: String) -> SimulatedOutcome {
    .ended(CommandResult(status: status, errors: errors + "\n"))
  }

  /// cat(1) of any files.
  func concatenate(_ argv: [String], on host: SimulatedHost) -> SimulatedOutcome {
    var result = CommandResult(status: 0)
    for path in argv.dropFirst() {
      if isList(path), machine.withLock(\.isFrozen) { return .hangs }
      do {
        result.output += try host.read(FilePath(path))
      } catch {
        result.errors += "cat: \(path): No such file or directory\n"
        result.status = 1
      }
    }
    return .ended(result)
  }

  /// `grep -xF -A1 LINE FILE`: the line and the one behind it.
  func search(_ argv: [String], on host: SimulatedHost) -> SimulatedOutcome? {
    guard argv.count == 5, argv[1...2] == ["-xF", "-A1"] else { return nil }
    if isList(argv[4]), machine.withLock(\.isFrozen) { return .hangs }
    guard let text = try? host.text(FilePath(argv[4])) else {
      return failed(2, "grep: \(argv[4]): No such file or directory")
    }
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    guard let index = lines.firstIndex(where: { $0 == argv[3] }) else {
      return .ended(CommandResult(status: 1))
    }
    let found = lines[index...].prefix(2).filter { !$0.isEmpty }.joined(separator: "\n") + "\n"
    return .ended(CommandResult(status: 0, output: Array(found.utf8)))
  }

  /// timeout(1) of one of these programs.
  func limited(_ invocation: SimulatedInvocation, on host: SimulatedHost) -> SimulatedOutcome? {
    guard invocation.argv.count > 2, let seconds = Int(invocation.argv[1]) else { return nil }
    var inner = invocation
    inner.argv.removeFirst(2)
    guard case .hangs? = run(inner, on: host) else { return run(inner, on: host) }
    host.advance(by: .seconds(seconds))
    return .ended(CommandResult(status: 124))
  }

  /// `: < /dev/ietctl`: whoever closes the control device ends everything that is exported.
  func shell(_ argv: [String]) -> SimulatedOutcome? {
    guard argv == ["sh", "-c", ": < /dev/ietctl"] else { return nil }
    machine.withLock { $0.kernel.removeAll() }
    return .ended(CommandResult(status: 0))
  }

  /// rmmod(8) of IET's module.
  func removeModule(_ argv: [String], on host: SimulatedHost) -> SimulatedOutcome? {
    guard argv == ["rmmod", Self.module] else { return nil }
    guard isLoaded else { return failed(1, "rmmod: ERROR: Module \(Self.module) is not currently loaded") }
    guard !isRunning else { return failed(1, "rmmod: ERROR: Module \(Self.module) is in use") }
    host.install(module: Self.module, loaded: false)
    return .ended(CommandResult(status: 0))
  }
}
