import HostInterface
import Simulation
import Synchronization
import SystemPackage
import Testing

/// A file system that takes commands as the test says: each answer of a write, then each answer of the result.
private final class CommandFileSystem: KernelFileSystem {
  struct Script: Sendable {
    var answer: Errno?
    var delay = Duration.zero
    var isDone = false
    var results: [Result<String, Errno>] = []
    var entries: Set<String> = ["disk"]
  }
  let script: Mutex<Script>

  init(_ script: Script) { self.script = Mutex(script) }

  func kind(of path: FilePath) -> FileStatus.Kind? {
    if ["mgmt", "result"].contains(path.lastComponent?.string) { return .file }
    return script.withLock { $0.entries.contains(path.lastComponent?.string ?? "") } ? .directory : nil
  }
  func read(_ path: FilePath, on host: SimulatedHost) throws(Errno) -> [UInt8] {
    let result = script.withLock { $0.results.isEmpty ? .success("0\n") : $0.results.removeFirst() }
    return Array(try result.get().utf8)
  }
  func write(_ bytes: [UInt8], to path: FilePath, on host: SimulatedHost) throws(Errno) {
    let answer = script.withLock { script in
      if script.isDone { script.entries = bytes.starts(with: "del".utf8) ? [] : ["disk", "new"] }
      return script.answer
    }
    if let answer { throw answer }
  }
  func delay(ofWriting bytes: [UInt8], to path: FilePath) -> Duration { script.withLock(\.delay) }
  func list(_ path: FilePath) throws(Errno) -> [String] { [] }
  func createDirectory(_ path: FilePath, on host: SimulatedHost) throws(Errno) { throw .notPermitted }
  func removeDirectory(_ path: FilePath, on host: SimulatedHost) throws(Errno) { throw .notPermitted }
  func createLink(_ path: FilePath, to destination: FilePath, on host: SimulatedHost) throws(Errno) {
    throw .notPermitted
  }
  func readLink(_ path: FilePath) throws(Errno) -> FilePath { throw .invalidArgument }
  func removeFile(_ path: FilePath, on host: SimulatedHost) throws(Errno) { throw .notPermitted }
}

@Suite struct ManageTests {
  private func failure(
    _ contents: Text, _ script: CommandFileSystem.Script, result: Text? = "/sys/m/result",
    proof: Condition? = nil
  ) async throws -> Failure? {
    let host = SimulatedHost()
    host.mount(CommandFileSystem(script), at: "/sys/m")
    let command = ManagementWrite(
      path: "/sys/m/mgmt", contents: contents, result: result, proof: proof, limit: .seconds(10))
    do {
      _ = try await host.perform(.manage(command))
      return nil
    } catch let failure as Failure {
      return failure
    }
  }

  private static let busy = Result<String, Errno>.failure(.resourceTemporarilyUnavailable)
  private static let added = Condition.exists(path: "/sys/m/new")
  private static let removed = Condition.absent(path: "/sys/m/disk")

  @Test func anAnswerIsTheOutcome() async throws {
    #expect(try await failure("add new\n", .init(isDone: true), proof: Self.added) == nil)
    #expect(try await failure("add new\n", .init(answer: .fileExists), proof: Self.added)?.code == .exists)
    #expect(try await failure("add new\n", .init(answer: .invalidArgument))?.errno == .invalidArgument)
  }

  @Test func afterEAGAINTheResultIsPolled() async throws {
    var script = CommandFileSystem.Script(answer: .resourceTemporarilyUnavailable, isDone: true)
    script.results = [Self.busy, Self.busy, .success("0\n")]
    #expect(try await failure("add new\n", script) == nil)
    script.results = [Self.busy, .success("-17\n")]
    #expect(try await failure("add new\n", script)?.code == .exists)
    script.results = [.success("seventeen\n")]
    #expect(try await failure("add new\n", script)?.code == .garbled)
    script.results = [.success("-2147483648\n")]
    #expect(try await failure("add new\n", script)?.code == .garbled)
    #expect(try await failure("add new\n", script, result: nil)?.code == .stillRunning)
  }

  @Test func whatIsThereDecidesAgainstTheResult() async throws {
    var script = CommandFileSystem.Script(answer: .resourceTemporarilyUnavailable, isDone: true)
    script.results = [.success("-17\n")]
    #expect(try await failure("add new\n", script, proof: Self.added) == nil)
    script = .init(answer: .resourceTemporarilyUnavailable, isDone: false)
    #expect(try await failure("add new\n", script, proof: Self.added)?.code == .notTaken)
    script.results = [.success("-22\n")]
    #expect(try await failure("add new\n", script, proof: Self.added)?.errno == .invalidArgument)
  }

  @Test func anInterruptedWriteIsCarriedOut() async throws {
    let script = CommandFileSystem.Script(answer: .interrupted, isDone: true, results: [Self.busy])
    #expect(try await failure("del disk\n", script, proof: Self.removed) == nil)
  }

  @Test func aWorkWithoutEndIsStillRunning() async throws {
    var script = CommandFileSystem.Script(answer: .resourceTemporarilyUnavailable, isDone: true)
    script.results = Array(repeating: Self.busy, count: 1000)
    #expect(try await failure("add new\n", script, proof: Self.added)?.code == .stillRunning)
    script = .init(delay: .seconds(60), isDone: true)
    #expect(try await failure("add new\n", script, proof: Self.added)?.code == .stillRunning)
  }

  @Test func removingWhatIsGoneIsDone() async throws {
    let script = CommandFileSystem.Script(answer: .invalidArgument, entries: [])
    #expect(try await failure("del disk\n", script, proof: Self.removed) == nil)
    let other = CommandFileSystem.Script(answer: .invalidArgument)
    #expect(try await failure("del disk\n", other, proof: Self.removed)?.errno == .invalidArgument)
  }

  @Test func aCommandThatIsNotWantedAnyMoreIsNotGiven() async throws {
    let host = SimulatedHost()
    let kernel = CommandFileSystem(.init(isDone: true))
    host.mount(kernel, at: "/sys/m")
    for (name, given) in [("disk", false), ("other", true)] {
      let command = ManagementWrite(
        path: "/sys/m/mgmt", contents: "add new\n", unless: .exists(path: "/sys/m/\(name)"),
        limit: .seconds(1))
      _ = try await host.perform(.manage(command))
      #expect(kernel.script.withLock { $0.entries.contains("new") } == given)
    }
  }

  @Test func aCommandLongerThanAPageIsNotWritten() async throws {
    let host = SimulatedHost()
    let kernel = CommandFileSystem(.init(isDone: true))
    host.mount(kernel, at: "/sys/m")
    for contents in ["", String(repeating: "x", count: 4097)] {
      let command = ManagementWrite(path: "/sys/m/mgmt", contents: Text(contents), limit: .seconds(1))
      await #expect(throws: Failure.self) { try await host.perform(.manage(command)) }
    }
    #expect(kernel.script.withLock(\.entries) == ["disk"])
  }

  @Test func whatOutlivesItsLimitHappensLater() async throws {
    let host = SimulatedHost()
    let kernel = CommandFileSystem(.init(delay: .seconds(20), isDone: true))
    host.mount(kernel, at: "/sys/m")
    let command = ManagementWrite(path: "/sys/m/mgmt", contents: "add new\n", limit: .seconds(5))
    await #expect(throws: Failure.self) { try await host.perform(.manage(command)) }
    #expect(kernel.script.withLock(\.entries) == ["disk"])
    host.advance(by: .seconds(16))
    #expect(kernel.script.withLock(\.entries) == ["disk", "new"])
  }

  @Test func aSecretIsNotShown() {
    let secret = Secret("top-secret-12".utf8)
    let command = ManagementWrite(path: "/sys/m/mgmt", contents: "user \(secret)\n", limit: .seconds(1))
    #expect(Operation.manage(command).display == "echo 'user '**** > /sys/m/mgmt")
  }

  @Test func aFirstLineCanBeWaitedFor() async throws {
    let host = SimulatedHost()
    host.addFile("/state", text: "closed\n")
    host.perform(after: .seconds(1)) { $0.addFile("/state", text: "open\n[key]\n") }
    let wait = Operation.wait(for: .reads(path: "/state", line: "open"), limit: .seconds(2))
    _ = try await host.perform(wait)
    #expect(
      wait.display
        == "timeout 2 sh -c 'until test \"$(head -n1 \"$0\")\" = \"$1\"; do sleep 0.1; done' /state open")
    let never = Operation.wait(for: .reads(path: "/nothing", line: "open"), limit: .seconds(2))
    await #expect(throws: Failure.self) { try await host.perform(never) }
  }

  @Test func aNumberIsWaitedForUntilItIsLargeEnough() async throws {
    let host = SimulatedHost()
    host.addFile("/size", text: "3\n")
    host.perform(after: .seconds(1)) { $0.addFile("/size", text: "4\n") }
    host.perform(after: .seconds(3)) { $0.addFile("/size", text: "5\n") }
    func wait(_ goal: UInt64, orBeyond least: UInt64 = 3, limit: Duration) async -> Failure.Code? {
      do {
        _ = try await host.perform(
          .wait(for: .grows(path: "/size", goal: goal, orBeyond: least), limit: limit))
        return nil
      } catch { return (error as? Failure)?.code }
    }
    #expect(await wait(5, limit: .milliseconds(500)) == .timedOut)
    // What has grown less than wanted is taken only when the limit is over.
    #expect(await wait(5, limit: .seconds(1)) == nil && host.now >= .milliseconds(1500))
    #expect(await wait(5, orBeyond: 4, limit: .milliseconds(500)) == .timedOut)
    #expect(await wait(5, limit: .seconds(5)) == nil && host.now < .seconds(4))
    host.addFile("/size", text: "none\n")
    #expect(await wait(5, limit: .seconds(1)) == .timedOut)
    host.remove("/size")
    #expect(await wait(5, limit: .seconds(1)) == .timedOut)
  }
}
