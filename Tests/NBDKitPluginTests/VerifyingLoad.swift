import Glibc
import Testing

/// Writes of random blocks, and a journal of what a later read may find.
///
/// Every sector of a block holds the number of the write that it is of. A write that was not acknowledged may be there
/// or not, sector by sector; one that was acknowledged is there unless a later one may be.
struct VerifyingLoad {
  static let block = 4096
  private static let sector = 512

  let blockCount: Int
  private var random: SplitMix
  private var lastStamp: UInt64 = 0
  /// By block, the write that was acknowledged last; 0 for zeroes.
  private var settled: [UInt64]
  /// By block, the writes that were sent and not acknowledged.
  private var possible: [Int: Set<UInt64>] = [:]
  /// By cookie, what a write that is in flight has.
  private var inFlight: [UInt64: (blocks: Range<Int>, stamp: UInt64)] = [:]
  private(set) var acknowledged = 0

  init(size: Int, seed: UInt64) {
    blockCount = size / Self.block
    random = SplitMix(state: seed)
    settled = Array(repeating: 0, count: blockCount)
  }

  /// Keeps so many requests in flight until so many are acknowledged, or the server is gone.
  ///
  /// - Parameter whenReached: Called with requests in flight, before the answers that are under way are read.
  mutating func run(_ client: NBDClient, depth: Int, until count: Int, whenReached: () -> Void = {}) {
    let goal = acknowledged + count
    run(client, depth: depth, while: { $0.acknowledged < goal }, whenReached: whenReached)
  }

  /// Keeps so many requests in flight as long as a condition holds.
  mutating func run(
    _ client: NBDClient, depth: Int, while condition: (VerifyingLoad) -> Bool, whenReached: () -> Void = {}
  ) {
    var isReached = false
    while true {
      while !isReached, client.inFlight < depth { guard send(client) else { break } }
      guard client.inFlight > 0, let reply = client.reply() else { break }
      settle(reply.cookie, error: reply.error)
      if !isReached, !condition(self) {
        isReached = true
        whenReached()
      }
    }
    inFlight = [:]
  }

  private mutating func send(_ client: NBDClient) -> Bool {
    let kind = random.next(upTo: 20)
    if kind == 0 { return client.send(.flush) != nil }
    var blocks = 0..<0
    // Two writes of one block in flight would be done in any order.
    repeat {
      let start = random.next(upTo: blockCount)
      blocks = start..<min(blockCount, start + [1, 1, 1, 2, 16][random.next(upTo: 5)])
    } while inFlight.values.contains { $0.blocks.overlaps(blocks) }
    lastStamp += 1
    let stamp = kind < 3 ? 0 : lastStamp
    for block in blocks { possible[block, default: []].insert(stamp) }
    let (offset, count) = (blocks.lowerBound * Self.block, blocks.count * Self.block)
    let cookie =
      kind < 3
      ? client.send(kind == 1 ? .zero : .trim, at: offset, count: count, durable: kind == 1)
      : client.send(.write, at: offset, data: Self.contents(blocks, stamp), durable: kind > 17)
    guard let cookie else { return false }
    inFlight[cookie] = (blocks, stamp)
    return true
  }

  private mutating func settle(_ cookie: UInt64, error: UInt32) {
    guard let write = inFlight.removeValue(forKey: cookie), error == 0 else { return }
    acknowledged += 1
    for block in write.blocks {
      settled[block] = write.stamp
      possible[block] = nil
    }
  }

  /// Reads everything: the blocks that hold what they must not.
  mutating func damage(_ client: NBDClient) throws -> [String] {
    var damage: [String] = []
    for start in stride(from: 0, to: blockCount, by: 64) {
      let blocks = start..<min(blockCount, start + 64)
      let (error, data) = try client.run(.read, at: start * Self.block, count: blocks.count * Self.block)
      try #require(error == 0)
      for block in blocks {
        let place = (block - start) * Self.block
        check(block, data[place..<place + Self.block], &damage)
      }
    }
    return damage
  }

  private func check(_ block: Int, _ data: ArraySlice<UInt8>, _ damage: inout [String]) {
    let allowed = (possible[block] ?? []).union([settled[block]])
    data.withUnsafeBytes { data in
      for sector in 0..<Self.block / Self.sector {
        let found = UnsafeRawBufferPointer(rebasing: data[sector * Self.sector..<(sector + 1) * Self.sector])
        let stamp = found.loadUnaligned(as: UInt64.self)
        if allowed.contains(stamp), Self.isWhole(found, sector, of: block, stamp) { continue }
        damage.append(
          "block \(block), sector \(sector): write \(stamp), and \(allowed.sorted()) are allowed")
      }
    }
  }

  private static func contents(_ blocks: Range<Int>, _ stamp: UInt64) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: blocks.count * block)
    bytes.withUnsafeMutableBytes { bytes in
      for (place, block) in blocks.enumerated() {
        for number in 0..<Self.block / sector {
          let start = place * Self.block + number * sector
          fill(
            UnsafeMutableRawBufferPointer(rebasing: bytes[start..<start + sector]), number, of: block, stamp)
        }
      }
    }
    return bytes
  }

  /// The number of the write, the place, and bytes that follow from both.
  private static func fill(
    _ bytes: UnsafeMutableRawBufferPointer, _ sector: Int, of block: Int, _ stamp: UInt64
  ) {
    guard let start = bytes.baseAddress else { return }
    let place = UInt64(block * 8 + sector)
    memset(start, stamp == 0 ? 0 : Int32(UInt8(truncatingIfNeeded: stamp &* 31 &+ place)), bytes.count)
    if stamp == 0 { return }
    start.storeBytes(of: stamp, as: UInt64.self)
    start.storeBytes(of: place, toByteOffset: 8, as: UInt64.self)
  }

  private static func isWhole(
    _ found: UnsafeRawBufferPointer, _ sector: Int, of block: Int, _ stamp: UInt64
  ) -> Bool {
    var expected = [UInt8](repeating: 0, count: Self.sector)
    expected.withUnsafeMutableBytes { fill($0, sector, of: block, stamp) }
    guard let start = found.baseAddress else { return false }
    return memcmp(expected, start, found.count) == 0
  }
}

/// Random numbers that a seed decides (Steele, Lea, Flood: "Fast splittable pseudorandom number generators").
struct SplitMix {
  var state: UInt64

  mutating func next(upTo bound: Int) -> Int {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return Int((mixed ^ (mixed >> 31)) % UInt64(bound))
  }
}
