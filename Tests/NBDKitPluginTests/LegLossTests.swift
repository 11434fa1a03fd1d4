import EmbeddedPool
import Glibc
import HostInterface
import NBDTesting
import Synchronization
import SystemPackage
import Testing

/// A leg goes while the volume is written to, and comes back.
@Suite(.serialized) struct LegLossTests {
  /// Runs a load on a thread until a body is over.
  private func underLoad(
    _ server: Server, _ load: VerifyingLoad, _ body: () async throws -> Void
  ) async throws -> VerifyingLoad {
    let isOver = Mutex(false)
    let client = Exclusive(try NBDClient(server.socket))
    async let finished = Task.detached { () -> VerifyingLoad in
      var load = load
      load.run(client.value, depth: 16, while: { _ in isOver.withLock { !$0 } })
      return load
    }.value
    let result: Result<Void, any Error>
    do { result = .success(try await body()) } catch { result = .failure(error) }
    isOver.withLock { $0 = true }
    let load = await finished
    try result.get()
    return load
  }

  /// Waits until the legs do as they should.
  private func wait(_ pool: ScratchPool, _ condition: (PoolReport) -> Bool) async throws {
    var report = try await pool.perform(.report)
    for _ in 0..<600 where !condition(report) {
      try await Task.sleep(for: .milliseconds(50))
      report = try await pool.perform(.report)
    }
    #expect(condition(report), "\(report)")
  }

  @Test func aLegThatIsTakenAwayComesBackWithWhatItMissed() async throws {
    let pool = try ScratchPool()
    let server = try Server(pool)
    try #require(server.notice() == "READY=1", "\(server.messages)")
    let leg = pool.legs[1].string
    var load = VerifyingLoad(size: 8 << 20, seed: .random(in: 0 ... .max))
    load = try await underLoad(server, load) {
      for _ in 0..<3 {
        try await pool.perform(.detachLeg(address: leg))
        try await wait(pool) { $0.outOfSync > 256 << 10 }
        try await pool.perform(.attachLeg(address: leg, discard: false))
        try await wait(pool) { $0.legs.allSatisfy { $0.status == .upToDate } }
      }
    }
    let client = try NBDClient(server.socket)
    #expect(try load.damage(client) == [])
    try await pool.perform(.verify)
    try await wait(pool) { $0.job?.isRunning == false }
    let report = try await pool.perform(.report)
    #expect(report.job?.differing == 0 && report.job?.failure == nil, "\(report)")
  }

  @Test func aKillWhileALegIsAwayLosesNothing() async throws {
    let pool = try ScratchPool()
    var load = VerifyingLoad(size: 8 << 20, seed: .random(in: 0 ... .max))
    for round in 0..<4 {
      let server = try Server(pool)
      try #require(server.notice() == "READY=1", "\(server.messages)")
      let client = try NBDClient(server.socket)
      #expect(try load.damage(client) == [])
      load.run(client, depth: 8, until: 100)
      // Each leg in turn: the one that stays counts, whatever its number.
      try await wait(pool) { $0.legs.allSatisfy { $0.status == .upToDate } }
      try await pool.perform(.detachLeg(address: pool.legs[round % 2].string))
      load.run(client, depth: 16, until: 100 + 50 * round) { server.signal(SIGKILL) }
      #expect(try server.end() == 128 + SIGKILL)
    }
    #expect(try pool.differences() == [])
  }

  /// A sparse leg on a file system that has no room for what is written to it.
  @Test(.enabled(if: geteuid() == 0, "a file system is mounted"))
  func aLegOnAFullDiskIsDroppedAndComesBackWhenThereIsRoom() async throws {
    let pool = try ScratchPool(smallDisk: 4 << 20)
    let server = try Server(pool)
    try #require(server.notice() == "READY=1", "\(server.messages)")
    var load = VerifyingLoad(size: 8 << 20, seed: .random(in: 0 ... .max))
    load = try await underLoad(server, load) {
      try await wait(pool) { $0.legs[1].status == .dropped && $0.outOfSync > 256 << 10 }
      #expect(try await pool.perform(.report).legs[1].problem?.contains("errno 28") == true)
      try pool.growSmallDisk(to: 32 << 20)
      try await pool.perform(.attachLeg(address: pool.legs[1].string, discard: false))
      try await wait(pool) { $0.legs.allSatisfy { $0.status == .upToDate } }
    }
    let client = try NBDClient(server.socket)
    #expect(try load.damage(client) == [])
    client.send(.disconnect)
    try server.stop()
    #expect(try pool.differences() == [])
  }

  /// The leg that is read from, with all that was written to it.
  @Test func aLegThatIsCutOffIsDroppedAndNotReadAnyMore() async throws {
    let pool = try ScratchPool()
    let server = try Server(pool)
    try #require(server.notice() == "READY=1", "\(server.messages)")
    let leg = pool.legs[0].string
    var load = VerifyingLoad(size: 8 << 20, seed: .random(in: 0 ... .max))
    load.run(try NBDClient(server.socket), depth: 8, until: 400)
    load = try await underLoad(server, load) {
      try #require(truncate(leg, 3 << 20) == 0)
      try await wait(pool) { $0.legs[0].status == .dropped }
      #expect(try await pool.perform(.report).legs[0].problem?.contains("cut it off") == true)
    }
    #expect(try load.damage(NBDClient(server.socket)) == [])
    // Nor when it has its former size again.
    try #require(truncate(leg, 16 << 20) == 0)
    let failure = await #expect(throws: Failure.self) {
      try await pool.perform(.attachLeg(address: leg, discard: true))
    }
    #expect(failure?.code == .notFound)
    try await pool.perform(.replaceLeg(old: leg, new: leg, wipe: true))
    try await wait(pool) { $0.legs.allSatisfy { $0.status == .upToDate } }
    #expect(try load.damage(NBDClient(server.socket)) == [])
    try server.stop()
    #expect(try pool.differences() == [])
  }

  /// No leg has room: the client is told, and what it was told to be written stays.
  @Test(.enabled(if: geteuid() == 0, "a file system is mounted"), arguments: [1, 2])
  func whatDoesNotFitOnAnyLegIsAnError(legs: Int) throws {
    let pool = try ScratchPool(legs: legs, smallDisk: legs * 3 << 20, legsThere: legs)
    var load = VerifyingLoad(size: 8 << 20, seed: .random(in: 0 ... .max))
    do {
      let server = try Server(pool)
      try #require(server.notice() == "READY=1", "\(server.messages)")
      let client = try NBDClient(server.socket)
      load.run(client, depth: 8, while: { $0.failed == 0 && $0.acknowledged < 10000 })
      #expect(load.failed > 0 && load.acknowledged > 0)
      #expect(server.messages.contains("errno 28"), "\(server.messages)")
      client.send(.disconnect)
      server.signal(SIGTERM)
      _ = try server.end()
    }
    try pool.growSmallDisk(to: 64 << 20)
    let server = try Server(pool)
    try #require(server.notice() == "READY=1", "\(server.messages)")
    let client = try NBDClient(server.socket)
    #expect(try load.damage(client) == [])
    let failed = load.failed
    load.run(client, depth: 8, until: 500)
    #expect(try load.failed == failed && load.damage(client) == [])
    client.send(.disconnect)
    try server.stop()
    #expect(try pool.differences() == [])
  }
}

/// Sound: it is made here and used by one task alone.
private struct Exclusive<Value>: @unchecked Sendable {
  let value: Value
  init(_ value: Value) { self.value = value }
}
