import Glibc
import HostInterface
import NBDTesting
import Testing

@Suite struct ServingTests {
  /// NBD's error numbers (NBD protocol, "Error values").
  private static let (noSpace, invalid): (UInt32, UInt32) = (28, 22)

  @Test func aVolumeIsReadAndWrittenOverSeveralConnections() throws {
    let pool = try ScratchPool()
    let server = try Server(pool)
    try #require(server.notice() == "READY=1", "\(server.messages)")
    let clients = try (0..<3).map { _ in try NBDClient(server.socket) }
    for (number, client) in clients.enumerated() {
      let data = [UInt8](repeating: UInt8(number + 1), count: 8192)
      #expect(try client.run(.write, at: number << 20, data: data).error == 0)
    }
    #expect(try clients[0].run(.flush).error == 0)
    for number in clients.indices {
      let (error, data) = try clients[2].run(.read, at: number << 20, count: 8192)
      #expect(error == 0 && data == [UInt8](repeating: UInt8(number + 1), count: 8192))
    }
    #expect(try clients[0].run(.zero, at: 0, count: 4096, durable: true).error == 0)
    #expect(try clients[0].run(.trim, at: 1 << 20, count: 4096, durable: true).error == 0)
    #expect(try clients[1].run(.read, at: 0, count: 4096).data == [UInt8](repeating: 0, count: 4096))
    #expect(try clients[1].run(.read, at: 4096, count: 4096).data == [UInt8](repeating: 1, count: 4096))
    #expect(try clients[1].run(.read, at: 1 << 20, count: 4096).data == [UInt8](repeating: 0, count: 4096))
    #expect(try pool.info(server, "data").contains("can_multi_conn: true"))
    for client in clients { client.send(.disconnect) }
    try server.stop()
    #expect(try pool.differences() == [])
  }

  @Test func whatIsNoWholeBlockOrOutsideIsRefused() throws {
    let server = try Server(ScratchPool())
    try #require(server.notice() == "READY=1", "\(server.messages)")
    let client = try NBDClient(server.socket)
    #expect(try client.run(.read, at: 1, count: 512).error == Self.invalid)
    #expect(try client.run(.write, at: 512, data: [1, 2, 3]).error == Self.invalid)
    #expect(try client.run(.zero, at: 100, count: 512).error == Self.invalid)
    #expect(try client.run(.read, at: client.size, count: 512).error == Self.invalid)
    #expect(try client.run(.write, at: client.size, data: [UInt8](repeating: 1, count: 512)).error != 0)
    #expect(try client.run(.write, at: 512, data: [UInt8](repeating: 1, count: 512)).error == 0)
    #expect(try client.run(.read, at: 512, count: 512).data.first == 1)
  }

  @Test func aVolumeGrowsWhileItIsServed() async throws {
    let pool = try ScratchPool()
    let server = try Server(pool)
    try #require(server.notice() == "READY=1", "\(server.messages)")
    let before = try NBDClient(server.socket)
    let data = [UInt8](repeating: 4, count: 4096)
    #expect(try before.run(.write, at: before.size - 4096, data: data).error == 0)
    try await pool.perform(.extendVolume(name: "data", size: .extents(10), policy: "normal"))
    let after = try NBDClient(server.socket)
    #expect(before.size == 8 << 20 && after.size == 10 << 20)
    #expect(try after.run(.write, at: after.size - 4096, data: data).error == 0)
    #expect(try after.run(.read, at: before.size - 4096, count: 4096).data == data)
    // Who was there before goes on, with the size that it knows.
    #expect(try before.run(.write, at: 0, data: data).error == 0)
    #expect(try before.run(.read, at: before.size, count: 4096).error == Self.invalid)
    let failure = await #expect(throws: Failure.self) {
      try await pool.perform(.reduceVolume(name: "data", size: .extents(8)))
    }
    #expect(failure?.code == .inUse)
    #expect(try after.run(.read, at: after.size - 4096, count: 4096).data == data)
  }

  @Test func aSignalEndsItThoughAClientStays() throws {
    let pool = try ScratchPool()
    let server = try Server(pool)
    try #require(server.notice() == "READY=1", "\(server.messages)")
    let client = try NBDClient(server.socket)
    #expect(try client.run(.write, at: 0, data: [UInt8](repeating: 5, count: 4096)).error == 0)
    server.signal(SIGTERM)
    #expect(server.notice() == "STOPPING=1")
    #expect(try server.end() == 0, "\(server.messages)")
    // Closed in order: nothing is copied when it is opened again.
    #expect(try pool.outOfSyncAtOpening() == 0)
  }

  @Test func requestsInFlightAreFinishedAtASignal() throws {
    let pool = try ScratchPool()
    var load = VerifyingLoad(size: 8 << 20, seed: 7)
    for _ in 0..<3 {
      let server = try Server(pool)
      try #require(server.notice() == "READY=1", "\(server.messages)")
      let client = try NBDClient(server.socket)
      #expect(try load.damage(client) == [])
      load.run(client, depth: 16, until: 300) { server.signal(SIGTERM) }
      try server.stop()
      #expect(try pool.outOfSyncAtOpening() == 0)
    }
    #expect(try pool.differences() == [])
  }

  @Test func aClientThatLeavesInTheMiddleHarmsNobody() throws {
    let pool = try ScratchPool()
    let server = try Server(pool)
    try #require(server.notice() == "READY=1", "\(server.messages)")
    let staying = try NBDClient(server.socket)
    let data = [UInt8](repeating: 3, count: 65536)
    #expect(try staying.run(.write, at: 0, data: data).error == 0)
    for cut in [1, 27, 28, 29, 4096, 65536 + 27] {
      let leaving = try NBDClient(server.socket)
      // Answered: nbdkit 1.32 itself ends (connections.c, raw_send_socket) when several answers find the client gone.
      for number in 0..<8 { #expect(try leaving.run(.write, at: (8 + number) << 16, data: data).error == 0) }
      leaving.send(.write, at: 0, data: [UInt8](repeating: 9, count: 65536), cut: cut)
    }
    #expect(try staying.run(.read, at: 0, count: 65536).data == data)
    #expect(try staying.run(.write, at: 65536, data: data, durable: true).error == 0)
    #expect(try staying.run(.read, at: 65536, count: 65536).data == data)
    staying.send(.disconnect)
    try server.stop()
    #expect(try pool.differences() == [])
  }

  @Test func whatIsNotThereIsTold() throws {
    let pool = try ScratchPool()
    let server = try Server(pool)
    try #require(server.notice() == "READY=1", "\(server.messages)")
    #expect(throws: (any Error).self) { _ = try NBDClient(server.socket, export: "nothing") }
    #expect(server.messages.contains("volume nothing: there is no volume of this name in the pool"))
    // The legs are in use now.
    let second = try Server(pool, name: "second")
    #expect(second.notice() == nil)
    #expect(second.messages.contains("is in use by another process"))
    let third = try Server(pool, parameters: ["pool=q"], name: "third")
    #expect(third.notice() == nil)
    #expect(third.messages.contains("pool q: is no embedded pool"))
    for parameters in [[], ["pool=p", "size=7"], ["pool=../p"], ["pool=p", "missing-legs=7"]] {
      let wrong = try Server(pool, parameters: parameters, name: "wrong")
      #expect(wrong.notice() == nil)
    }
    try server.stop()
  }
}
