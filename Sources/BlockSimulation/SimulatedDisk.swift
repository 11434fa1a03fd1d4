import BlockEngine
import HostInterface

/// A disk with a volatile cache that behaves as badly as its contract allows, and worse where it is told to.
///
/// - Requests take a random time and complete in any order.
/// - At a loss of power, each sector that was written and not made durable holds any of its versions since the last
///   one that was: writes are lost, torn between sectors and reordered.
/// - A sector in ``fragileRange`` that was being written may hold garbage instead.
/// - It can die (every request fails), hold (no request completes), lie about flushes, and rot.
package final class SimulatedDisk: BlockDevice {
  /// What the disk does with requests.
  package enum Condition { case well, dead, holding }

  /// The unit in which writes are torn; also the logical block size.
  package static let sectorSize = 512

  package let name: String
  package let size: Int
  package let logicalBlockSize = SimulatedDisk.sectorSize
  /// Whether writes fail, as those of a full disk.
  package var isFull = false
  /// Whether no lock protects it.
  package var isRemote = false
  /// How it treats requests from now on; see also ``die()`` and ``hold()``.
  package private(set) var condition = Condition.well
  /// Whether flushes and durable writes complete without making anything durable.
  package var lies = false
  /// Where a sector that is being written when power goes may hold garbage.
  package var fragileRange: Range<Int>?
  /// The longest time that a request takes.
  package var slowest: Duration = .microseconds(200)
  /// How many requests were completed.
  package private(set) var completed = 0

  /// How many bytes of writes were completed.
  package private(set) var bytesWritten = 0

  /// A version of a sector that is not durable; `stamp` orders completions.
  private struct Version {
    let stamp: Int
    let bytes: [UInt8]
  }

  private let clock: any EngineClock
  private var random: SeededRandom
  /// What reads see.
  private var contents: [UInt8]
  /// What survives, where it differs from what reads see: the durable version first, then the others.
  private var unsettled: [Int: (durable: [UInt8], versions: [Version])] = [:]
  private var stamp = 0
  /// Requests that were submitted and are not complete; by number, so that a loss of power may do part of them.
  private var inFlight: [Int: BlockRequest] = [:]
  private var submitted = 0
  /// Counts losses of power and deaths: what was submitted before never completes, or fails.
  private var life = 0
  private var held: [() -> Void] = []

  /// A disk full of zeroes.
  package init(_ name: String, size: Int, clock: any EngineClock, seed: UInt64) {
    precondition(size % Self.sectorSize == 0, "a disk is made of whole sectors")
    self.name = name
    self.size = size
    self.clock = clock
    random = SeededRandom(seed: seed)
    contents = [UInt8](repeating: 0, count: size)
  }

  package func submit(_ request: BlockRequest, _ completion: @escaping (Failure?) -> Void) {
    if let refusal = refusal(of: request) { return complete(completion, refusal) }
    submitted += 1
    let number = submitted
    let moment = stamp
    inFlight[number] = request
    workLater { [self] in
      inFlight[number] = nil
      completed += 1
      if isFull, case .write = request {
        return completion(Failure(.refused, name, "the simulated disk is full"))
      }
      // A dead disk may have done what it cannot answer any more.
      if condition != .dead || Bool.random(using: &random) { perform(request, moment: moment) }
      completion(condition == .dead ? lost : nil)
    }
  }

  /// Does what takes a random time, unless power or the disk is lost before.
  private func workLater(_ body: @escaping () -> Void) {
    let life = self.life
    let delay = Duration.nanoseconds(
      Int64.random(in: 1000...max(1001, slowest.nanoseconds), using: &random))
    clock.schedule(after: delay) { [self] in
      let work = { [self] in if self.life == life { body() } }
      if condition == .holding, self.life == life { held.append(work) } else { work() }
    }
  }

  /// Every sector that is zero is a hole; now and then it tells of the first ones only.
  package func blockStatus(
    of range: Range<Int>, _ completion: @escaping (Result<[BlockStatus], Failure>) -> Void
  ) {
    if let refusal = refusal(of: range) {
      return complete({ if let failure = $0 { completion(.failure(failure)) } }, refusal)
    }
    workLater { [self] in
      guard condition != .dead else { return completion(.failure(lost)) }
      let most = random.oneIn(4) ? 4 * Self.sectorSize : range.count
      var answer = BlockStatusAnswer(range, logicalBlockSize: Self.sectorSize)
      for place in stride(from: range.lowerBound, to: range.upperBound, by: Self.sectorSize).prefix(
        most / Self.sectorSize)
      {
        let isHole = contents[place..<place + Self.sectorSize].allSatisfy { $0 == 0 }
        answer.add(upTo: place + Self.sectorSize, isHole: isHole)
      }
      completion(.success(answer.parts))
    }
  }

  private var lost: Failure { Failure(.refused, name, "the simulated disk is dead") }

  private func complete(_ completion: @escaping (Failure?) -> Void, _ failure: Failure) {
    let life = self.life
    clock.schedule(after: .microseconds(1)) { [self] in if self.life == life { completion(failure) } }
  }

  private func perform(_ request: BlockRequest, moment: Int) {
    switch request {
    case .read(let offset, let buffer):
      contents.withUnsafeBytes {
        buffer.bytes.copyMemory(from: .init(rebasing: $0[offset..<offset + buffer.count]))
      }
    case .write(let offset, let buffer, let durable):
      store(Array(buffer.bytes), at: offset, durable: durable)
    case .writeZeroes(let offset, let count, let durable):
      store([UInt8](repeating: 0, count: count), at: offset, durable: durable)
    case .discard(let offset, let count):
      store([UInt8](repeating: 0, count: count), at: offset, durable: false)
    case .flush: if !lies { settle(until: moment) }
    }
  }

  private func store(_ bytes: [UInt8], at offset: Int, durable: Bool) {
    stamp += 1
    bytesWritten += bytes.count
    for start in stride(from: 0, to: bytes.count, by: Self.sectorSize) {
      let place = offset + start
      let new = Array(bytes[start..<start + Self.sectorSize])
      if durable, !lies {
        unsettled[place] = nil
      } else {
        var entry = unsettled[place] ?? (Array(contents[place..<place + Self.sectorSize]), [])
        entry.versions.append(Version(stamp: stamp, bytes: new))
        unsettled[place] = entry
      }
      contents.replaceSubrange(place..<place + Self.sectorSize, with: new)
    }
  }

  /// Makes durable what was complete at a moment.
  private func settle(until moment: Int) {
    for (place, entry) in unsettled {
      guard let last = entry.versions.last(where: { $0.stamp <= moment }) else { continue }
      let rest = entry.versions.filter { $0.stamp > moment }
      unsettled[place] = rest.isEmpty ? nil : (last.bytes, rest)
    }
  }

  /// From now on every request fails, those in flight included.
  package func die() {
    condition = .dead
    releaseHeld()
  }

  /// From now on no request completes, until it recovers.
  package func hold() { condition = .holding }

  /// The disk works again, with what it had.
  package func recover() {
    condition = .well
    releaseHeld()
  }

  private func releaseHeld() {
    let waiting = held
    held = []
    for work in waiting { work() }
  }

  /// Power is lost and comes back.
  ///
  /// Requests in flight never complete, and any part of them may have been done.
  package func losePower() {
    // In the order of their numbers, since the order of a dictionary is no part of a seed.
    for (_, request) in inFlight.sorted(by: { $0.key < $1.key }) where condition != .dead {
      switch request {
      case .write(let offset, let buffer, _): store(Array(buffer.bytes), at: offset, durable: false)
      case .writeZeroes(let offset, let count, _), .discard(let offset, let count):
        store([UInt8](repeating: 0, count: count), at: offset, durable: false)
      default: break
      }
    }
    for (place, entry) in unsettled.sorted(by: { $0.key < $1.key }) {
      var choices = [entry.durable]
      choices += entry.versions.map(\.bytes)
      var chosen = choices[Int.random(in: 0..<choices.count, using: &random)]
      if let fragileRange, fragileRange.contains(place), random.oneIn(6) {
        for index in chosen.indices { chosen[index] = UInt8.random(in: 0...255, using: &random) }
      }
      contents.replaceSubrange(place..<place + Self.sectorSize, with: chosen)
    }
    unsettled = [:]
    forgetRequests()
    condition = .well
  }

  /// The program that used the disk is gone.
  ///
  /// What it submitted is done or not, and never completes. The disk works again.
  package func loseUser() {
    for (_, request) in inFlight.sorted(by: { $0.key < $1.key })
    where condition != .dead && Bool.random(using: &random) {
      if case .flush = request { continue }
      perform(request, moment: stamp)
    }
    forgetRequests()
    condition = .well
  }

  private func forgetRequests() {
    inFlight = [:]
    held = []
    life += 1
  }

  /// The bytes as they are read now, without a request.
  package func peek(_ range: Range<Int>) -> [UInt8] { Array(contents[range]) }

  /// Changes bytes behind everybody's back, durably.
  package func poke(_ bytes: [UInt8], at offset: Int) {
    contents.replaceSubrange(offset..<offset + bytes.count, with: bytes)
    let first = offset / Self.sectorSize * Self.sectorSize
    for place in stride(from: first, to: offset + bytes.count, by: Self.sectorSize) { unsettled[place] = nil }
  }
}

extension Duration {
  var nanoseconds: Int64 { components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000 }
}
