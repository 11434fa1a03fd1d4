import BlockSimulation
import Glibc
import HostInterface

/// Writes of random blocks, and a journal of what a later read may find.
///
/// Every sector of a block holds the number of the write that it is of. A write that was not acknowledged may be there
/// or not, sector by sector; one that was acknowledged is there unless a later one may be. Where power is cut, one that
/// was acknowledged may be lost as long as neither it was durable (FUA) nor a flush was, that was sent after.
package struct VerifyingLoad {
  /// The size in bytes of what is written together at least.
  package static let block = 4096
  private static let sector = 512

  /// What may be lost of what was acknowledged.
  package enum Risk {
    /// Nothing: the server may be killed, but its disks go on.
    case nothing
    /// What was not flushed.
    case unflushed
  }

  /// A write as one block has it.
  private struct Write {
    let number: UInt64
    /// What its sectors begin with; 0 for zeroes.
    let stamp: UInt64
  }

  private enum Request {
    case write(Range<Int>, number: UInt64, durable: Bool)
    /// With what was acknowledged before, by block.
    case flush([Int: UInt64])
  }

  private let blockCount: Int
  private let risk: Risk
  private var random: SeededRandom
  private var lastNumber: UInt64 = 0
  /// By block, in their order, the write that is there at least, and those that may be there instead.
  private var writes: [[Write]]
  /// By block, the write that was acknowledged last, as long as it may be lost.
  private var unflushed: [Int: UInt64] = [:]
  /// By cookie.
  private var inFlight: [UInt64: Request] = [:]
  /// How many writes were acknowledged, and how many requests were answered with an error.
  package private(set) var acknowledged = 0, failed = 0
  /// Whether the last answer promised that something is durable.
  package private(set) var hasJustPromised = false

  /// A load for an export of this size in bytes, which reads as zeroes.
  package init(size: Int, seed: UInt64, risk: Risk = .nothing) {
    blockCount = size / Self.block
    self.risk = risk
    random = SeededRandom(seed: seed)
    writes = Array(repeating: [Write(number: 0, stamp: 0)], count: blockCount)
  }

  /// Keeps so many requests in flight until so many are acknowledged, or the server is gone.
  ///
  /// - Parameter whenReached: Called with requests in flight, before the answers that are under way are read.
  package mutating func run(
    _ client: NBDClient, depth: Int, until count: Int, whenReached: () -> Void = {}
  ) {
    let goal = acknowledged + count
    run(client, depth: depth, while: { $0.acknowledged < goal }, whenReached: whenReached)
  }

  /// Keeps so many requests in flight as long as a condition holds.
  package mutating func run(
    _ client: NBDClient, depth: Int, while condition: (VerifyingLoad) -> Bool, whenReached: () -> Void = {}
  ) {
    var isReached = false
    while true {
      while !isReached, client.inFlight < depth { guard send(client) else { break } }
      guard client.inFlight > 0 else { break }
      guard let reply = client.reply() else {
        // The server is gone, with what it had not flushed.
        unflushed = [:]
        break
      }
      settle(reply.cookie, error: reply.error)
      if !isReached, !condition(self) {
        isReached = true
        whenReached()
      }
    }
    inFlight = [:]
  }

  private mutating func send(_ client: NBDClient) -> Bool {
    let kind = Int.random(in: 0..<20, using: &random)
    if kind == 0 {
      guard let cookie = client.send(.flush) else { return false }
      inFlight[cookie] = .flush(unflushed)
      return true
    }
    var blocks = 0..<0
    // Two writes of one block in flight would be done in any order.
    repeat {
      let start = Int.random(in: 0..<blockCount, using: &random)
      let count = [1, 1, 1, 2, 16][Int.random(in: 0..<5, using: &random)]
      blocks = start..<min(blockCount, start + count)
    } while isInFlight(blocks)
    lastNumber += 1
    let stamp = kind < 3 ? 0 : lastNumber
    let durable = kind == 1 || kind > 17
    for block in blocks { writes[block].append(Write(number: lastNumber, stamp: stamp)) }
    let (offset, count) = (blocks.lowerBound * Self.block, blocks.count * Self.block)
    let cookie =
      kind < 3
      ? client.send(kind == 1 ? .zero : .trim, at: offset, count: count, durable: durable)
      : client.send(.write, at: offset, data: Self.contents(blocks, stamp), durable: durable)
    guard let cookie else { return false }
    inFlight[cookie] = .write(blocks, number: lastNumber, durable: durable)
    return true
  }

  private func isInFlight(_ blocks: Range<Int>) -> Bool {
    inFlight.values.contains {
      if case .write(let others, _, _) = $0 { others.overlaps(blocks) } else { false }
    }
  }

  private mutating func settle(_ cookie: UInt64, error: UInt32) {
    guard let request = inFlight.removeValue(forKey: cookie) else { return }
    hasJustPromised = false
    guard error == 0 else { return failed += 1 }
    switch request {
    case .flush(let before):
      hasJustPromised = true
      for (block, number) in before { keep(number, in: block) }
    case .write(let blocks, let number, let durable):
      acknowledged += 1
      hasJustPromised = durable
      for block in blocks {
        if durable || risk == .nothing { keep(number, in: block) } else { unflushed[block] = number }
      }
    }
  }

  /// From now on a block has this write, or a later one.
  private mutating func keep(_ number: UInt64, in block: Int) {
    writes[block].removeAll { $0.number < number }
    if let last = unflushed[block], last <= number { unflushed[block] = nil }
  }

  /// Reads everything: the blocks that hold what they must not.
  package func damage(_ client: NBDClient) throws -> [String] {
    var damage: [String] = []
    for start in stride(from: 0, to: blockCount, by: 64) {
      let blocks = start..<min(blockCount, start + 64)
      let (error, data) = try client.run(.read, at: start * Self.block, count: blocks.count * Self.block)
      guard error == 0 else { throw Failure(.refused, "block \(start)", "cannot be read: error \(error)") }
      for block in blocks {
        let place = (block - start) * Self.block
        check(block, data[place..<place + Self.block], &damage)
      }
    }
    return damage
  }

  private func check(_ block: Int, _ data: ArraySlice<UInt8>, _ damage: inout [String]) {
    let allowed = Set(writes[block].map(\.stamp))
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
