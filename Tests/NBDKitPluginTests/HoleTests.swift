import EmbeddedPool
import Glibc
import HostInterface
import NBDTesting
import SystemPackage
import Testing

/// What clients are told of holes, and what they make of it.
@Suite struct HoleTests {
  let pool: ScratchPool
  let server: Server
  let client: NBDClient
  private static let block = 64 << 10

  init() throws {
    pool = try ScratchPool()
    server = try Server(pool)
    try #require(server.notice() == "READY=1", "\(server.messages)")
    client = try NBDClient(server.socket)
  }

  /// Where data are, by a client's own words: `nbdinfo --map` prints offset, length, type and description.
  private func data() throws -> [Range<Int>] {
    let lines = try pool.run("nbdinfo --map '\(server.uri(of: "data"))'").split(separator: "\n")
    var ranges: [Range<Int>] = []
    var end = 0
    for line in lines {
      let words = line.split(separator: " ")
      let numbers = words.prefix(3).compactMap { Int($0) }
      try #require(numbers.count == 3 && numbers[0] == end, "\(lines)")
      end += numbers[1]
      // 3 is a hole that reads as zeroes (NBD protocol, "base:allocation").
      guard numbers[2] == 0 else {
        try #require(numbers[2] == 3, "\(lines)")
        continue
      }
      ranges.append(numbers[0]..<end)
    }
    try #require(end == client.size, "\(lines)")
    return ranges
  }

  private func write(_ offset: Int, _ byte: UInt8 = 7, count: Int = block) throws {
    let answer = try client.run(.write, at: offset, data: [UInt8](repeating: byte, count: count))
    try #require(answer.error == 0)
  }

  private func range(_ offset: Int, _ count: Int = block) -> Range<Int> { offset..<offset + count }

  @Test func writtenBlocksAreDataAndTrimmedOnesHolesAgain() throws {
    #expect(try data() == [])
    try write(1 << 20)
    try write(3 << 20)
    // Across the end of an extent.
    try write((5 << 20) - Self.block, count: 2 * Self.block)
    let island = range((5 << 20) - Self.block, 2 * Self.block)
    #expect(try data() == [range(1 << 20), range(3 << 20), island])
    #expect(try client.run(.trim, at: 1 << 20, count: Self.block).error == 0)
    #expect(try data() == [range(3 << 20), island])
    #expect(try client.run(.trim, at: 0, count: 8 << 20, durable: true).error == 0)
    #expect(try data() == [])
    #expect(try client.run(.read, at: 3 << 20, count: 4096).data == [UInt8](repeating: 0, count: 4096))
    try server.stop()
    #expect(try pool.differences() == [])
  }

  @Test func zeroesAreFreedUnlessTheyAreToKeepTheirPlace() throws {
    func place() -> Int {
      var status = stat()
      return stat(pool.legs[1].string, &status) == 0 ? Int(status.st_blocks) * 512 : -1
    }
    let count = 1 << 20
    try write(1 << 20, count: count)
    let written = place()
    #expect(try client.run(.zero, at: 1 << 20, count: count, durable: true, keepsPlace: true).error == 0)
    #expect(place() >= written)
    #expect(try data() == [], "what was zeroed reads as zeroes, and so need not be copied")
    #expect(try client.run(.zero, at: 1 << 20, count: count, durable: true).error == 0)
    #expect(place() <= written - count)
    #expect(try client.run(.read, at: 1 << 20, count: 4096).data == [UInt8](repeating: 0, count: 4096))
  }

  @Test func theMapIsTheOneOfLegsThatAreUpToDate() async throws {
    try write(1 << 20)
    let leg = pool.legs[0].string
    // The leg that was asked goes, and misses what comes.
    try await pool.perform(.detachLeg(address: leg))
    #expect(try data() == [range(1 << 20)])
    try write(2 << 20)
    #expect(try client.run(.trim, at: 1 << 20, count: Self.block).error == 0)
    #expect(try data() == [range(2 << 20)])
    try await pool.perform(.setResyncRate(bytes: 1 << 20))
    try await pool.perform(.attachLeg(address: leg, discard: false))
    // For a second it is not up to date.
    try write(4 << 20)
    #expect(try data() == [range(2 << 20), range(4 << 20)])
    try await pool.perform(.setResyncRate(bytes: nil))
    for _ in 0..<600 where try await pool.perform(.report).legs.contains(where: { $0.status != .upToDate }) {
      try await Task.sleep(for: .milliseconds(20))
    }
    #expect(try await pool.perform(.report).legs.allSatisfy { $0.status == .upToDate })
    // The first leg is asked again; what a resync wrote there may be zeroes.
    let told = try data()
    for range in [range(2 << 20), range(4 << 20)] {
      #expect(told.contains { $0.contains(range.lowerBound) && $0.upperBound >= range.upperBound })
    }
  }

  @Test func aCopyIsAsSparseAsTheVolume() throws {
    try write(2 << 20, 3)
    try write(6 << 20, 4)
    let copy = pool.directory.appending("copy")
    let uri = server.uri(of: "data")
    #expect(try pool.run("qemu-img convert -f raw -O raw '\(uri)' \(copy)") == "")
    var status = stat()
    #expect(stat(copy.string, &status) == 0 && Int(status.st_size) == client.size)
    #expect(Int(status.st_blocks) * 512 <= 4 * Self.block)
    #expect(try pool.run("qemu-img compare -f raw -F raw '\(uri)' \(copy)") == "Images are identical.\n")
    let map = try pool.run("qemu-img map -f raw --output=json '\(uri)'")
    #expect(map.split(separator: "\n").count { $0.contains("\"data\": true") } == 2, "\(map)")
    // And back, over what stands there: what is a hole in the copy becomes one of the volume.
    try write(4 << 20, 5)
    #expect(try pool.run("qemu-img convert -n -f raw -O raw \(copy) '\(uri)'") == "")
    #expect(try data() == [range(2 << 20), range(6 << 20)])
    #expect(try pool.run("qemu-img compare -f raw -F raw '\(uri)' \(copy)") == "Images are identical.\n")
  }
}
