import HostInterface
import Simulation
import Synchronization
import SystemPackage
import Testing

/// A daemon that answers what it is told to.
private final class Puppet: SimulatedService {
  let reply: SimulatedReply
  let programs = ["puppet"]

  init(_ reply: SimulatedReply) { self.reply = reply }

  func attach(to host: SimulatedHost) { host.listen(at: "/run/puppet", for: self) }

  func exchange(_ request: [UInt8], at path: FilePath, on host: SimulatedHost) -> SimulatedReply { reply }

  func run(_ invocation: SimulatedInvocation, on host: SimulatedHost) -> SimulatedOutcome? {
    switch invocation.argv.dropFirst().first {
    case "hang": .hangs
    case "echo": .ended(CommandResult(status: 3, output: invocation.input))
    default: nil
    }
  }
}

/// How many tasks are somewhere at once.
private final class Occupancy: Sendable {
  private let counts = Mutex((now: 0, most: 0))

  var most: Int { counts.withLock { $0.most } }
  func enter() { counts.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) } }
  func leave() { counts.withLock { $0.now -= 1 } }
}

/// The failure that a call ends in.
func failure(_ body: () async throws -> Void) async -> Failure? {
  do {
    try await body()
    return nil
  } catch {
    return error as? Failure
  }
}

@Suite struct SimulatedHostTests {
  private func exchange(_ host: SimulatedHost, at path: FilePath = "/run/puppet") async throws -> [UInt8] {
    try await host.exchange([1], with: path, lengthOffset: 4, limit: .seconds(7))
  }

  @Test func repliesAreCutToTheirLength() async throws {
    let host = SimulatedHost(services: [Puppet(.bytes([0, 0, 0, 0, 9, 0, 0, 0, 42, 43]))])
    #expect(try await exchange(host) == [0, 0, 0, 0, 9, 0, 0, 0, 42])
    #expect(try await exchange(host, at: "/var/run/puppet").count == 9)
  }

  @Test(arguments: [
    [], [1, 2, 3], [0, 0, 0, 0, 7, 0, 0, 0], [0, 0, 0, 0, 9, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 99],
  ])
  func noiseIsGarbled(_ bytes: [UInt8]) async {
    let host = SimulatedHost(services: [Puppet(.bytes(bytes))])
    #expect(await failure { _ = try await exchange(host) }?.code == .garbled)
  }

  @Test func whereNothingListensItIsUnavailable() async {
    let host = SimulatedHost(services: [Puppet(.bytes([]))])
    host.stopListening(at: "/run/puppet")
    let refused = await failure { _ = try await exchange(host) }
    #expect(refused?.code == .unavailable)
    #expect(refused?.errno == .connectionRefused)
    let missing = await failure { _ = try await exchange(host, at: "/run/missing") }
    #expect(missing?.code == .unavailable)
    #expect(missing?.errno == .noSuchFileOrDirectory)
  }

  @Test func silenceTakesVirtualTimeOnly() async {
    let host = SimulatedHost(services: [Puppet(.silence)])
    #expect(await failure { _ = try await exchange(host) }?.code == .timedOut)
    #expect(host.now == .seconds(7))
  }

  @Test func programsRun() async throws {
    let host = SimulatedHost(services: [Puppet(.silence)])
    func run(_ argv: String...) async throws -> CommandResult {
      try await host.run(argv, environment: [:], input: [7], limit: .seconds(2))
    }
    #expect(host.executable("puppet") == "/usr/sbin/puppet")
    #expect(host.executable("missing") == nil)
    #expect(try await run("puppet", "echo") == CommandResult(status: 3, output: [7]))
    #expect(try await run("/usr/sbin/puppet", "echo").status == 3)
    #expect(await failure { _ = try await run("missing") }?.code == .unavailable)
    #expect(await failure { _ = try await run() }?.code == .invalid)
    #expect(await failure { _ = try await run("puppet", "a\0b") }?.code == .invalid)
    #expect(await failure { _ = try await run("puppet", "hang") }?.code == .timedOut)
    #expect(host.now == .seconds(2))
    host.install(program: "drbdadm") { .ended(CommandResult(status: 0, output: Array($0.argv[1].utf8))) }
    #expect(try await run("drbdadm", "role").output == Array("role".utf8))
  }

  @Test func modulesAreLoadedWhereTheyAreInstalled() throws {
    let host = SimulatedHost()
    host.install(module: "target-core-mod")
    #expect(try !host.isModuleLoaded("target_core_mod"))
    try host.loadModule("target_core_mod")
    #expect(try host.isModuleLoaded("target-core-mod"))
    let missing = #expect(throws: Failure.self) { try host.loadModule("iscsi_scst") }
    #expect(missing?.code == .unavailable)
    let bad = #expect(throws: Failure.self) { try host.loadModule("../evil") }
    #expect(bad?.code == .invalid)
  }

  @Test func waitingRunsWhatHappensMeanwhile() async throws {
    let host = SimulatedHost()
    host.perform(after: .seconds(3)) { $0.addBlockDevice("/dev/nbd0", size: 1) }
    host.perform(after: .seconds(1)) { $0.addFile("/tmp/earlier") }
    host.perform(after: .seconds(9)) { $0.addFile("/tmp/later") }
    try await host.waitForPath("/dev/nbd0", exists: true, limit: .seconds(5))
    #expect(host.now == .seconds(3))
    #expect(try host.list("/tmp") == ["earlier"])
    let late = await failure { try await host.waitForPath("/tmp/later", exists: true, limit: .seconds(5)) }
    #expect(late?.code == .timedOut)
    #expect(host.now == .seconds(8))
    try await host.sleep(.seconds(1))
    #expect(try host.status("/tmp/later") != nil)
    try await host.waitForPath("/tmp/nothing", exists: false, limit: .zero)
  }

  @Test func aLockIsHeldByOne() async throws {
    let host = SimulatedHost()
    let lock = try await host.lock("stgt", limit: .zero)
    let other = await failure { _ = try await host.lock("stgt", limit: .zero) }
    #expect(other?.code == .locked)
    let independent = try await host.lock("lio", limit: .zero)
    lock.release()
    let again = try await host.lock("stgt", limit: .zero)
    lock.release()
    #expect(await failure { _ = try await host.lock("stgt", limit: .zero) }?.code == .locked)
    again.release()
    independent.release()
    #expect(await failure { _ = try await host.lock("a/b", limit: .zero) }?.code == .invalid)
  }

  @Test func aWaiterGetsTheLockWhenItIsReleased() async throws {
    let host = SimulatedHost()
    let inside = Occupancy()
    try await withThrowingTaskGroup { group in
      for _ in 0..<8 {
        group.addTask {
          let lock = try await host.lock("stgt", limit: .seconds(60))
          inside.enter()
          await Task.yield()
          inside.leave()
          lock.release()
        }
      }
      try await group.waitForAll()
    }
    #expect(inside.most == 1)
  }

  @Test func aCancelledTaskDoesNotWait() async {
    let host = SimulatedHost()
    let task = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      try await host.sleep(.seconds(1))
    }
    #expect(await failure { try await task.value }?.code == .interrupted)
    #expect(host.now == .zero)
  }
}
