import BlockSimulation
import Glibc
import NBDTesting
import Testing

/// The serving process is killed while it serves; nothing that was acknowledged is lost.
@Suite(.serialized) struct CrashTests {
  /// How many times as much as usual; more by the environment.
  private static var factor: Int { getenv("FACTOR").flatMap { Int(String(cString: $0)) } ?? 1 }

  @Test(arguments: [1, 2]) func whatWasAcknowledgedIsThereAfterAKill(legs: Int) throws {
    let pool = try ScratchPool(legs: legs)
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededRandom(seed: seed)
    var load = VerifyingLoad(size: 8 << 20, seed: seed)
    for round in 0..<10 * Self.factor {
      let server = try Server(pool)
      try #require(server.notice() == "READY=1", "\(server.messages)")
      let client = try NBDClient(server.socket)
      #expect(client.size == 8 << 20)
      let damage = try load.damage(client)
      #expect(damage.isEmpty, "round \(round), seed \(seed)")
      let depth = [1, 4, 32][Int.random(in: 0..<3, using: &random)]
      load.run(client, depth: depth, until: .random(in: 50..<550, using: &random)) { server.signal(SIGKILL) }
      #expect(try server.end() == 128 + SIGKILL)
      if round % 5 == 4 { #expect(try pool.differences() == []) }
    }
    #expect(load.acknowledged >= 500)
  }
}
