import BlockEngine

/// What every sector of a device may hold, by what was written and acknowledged: the contract of ``BlockDevice``.
struct SectorModel {
  private struct Version {
    /// The write.
    let number: Int
    /// What it left.
    let id: UInt64
    let submitted: Int
    /// When it was answered; a write that was not, or failed, may still be done.
    var answered = Int.max
  }

  private var versions: [[Version]]
  private var time = 0

  /// All sectors hold version zero.
  init(sectors: Int) {
    versions = Array(repeating: [Version(number: 0, id: 0, submitted: 0, answered: 0)], count: sectors)
  }

  /// A moment later than all before.
  mutating func moment() -> Int {
    time += 1
    return time
  }

  /// A write with a number, as the contents `id`, was submitted.
  mutating func submit(_ number: Int, _ id: UInt64, _ sectors: Range<Int>) {
    let now = moment()
    for sector in sectors { versions[sector].append(Version(number: number, id: id, submitted: now)) }
  }

  /// A write was acknowledged.
  mutating func answer(_ number: Int, _ sectors: Range<Int>, durable: Bool) {
    let now = moment()
    for sector in sectors {
      guard let place = versions[sector].firstIndex(where: { $0.number == number }) else { continue }
      versions[sector][place].answered = now
      guard durable else { continue }
      let written = versions[sector][place]
      versions[sector].removeAll { $0.answered < written.submitted }
    }
  }

  /// A flush that was submitted at a moment is complete.
  mutating func flushed(_ start: Int) {
    for sector in versions.indices where versions[sector].count > 1 {
      let all = versions[sector]
      versions[sector] = all.filter { !isSuperseded($0, in: all, at: start) }
    }
  }

  private func isSuperseded(_ version: Version, in all: [Version], at moment: Int) -> Bool {
    all.contains { $0.answered < moment && $0.submitted > version.answered }
  }

  /// Whether a read that was submitted at a moment may find a version.
  func allows(_ id: UInt64, _ sector: Int, readAt moment: Int) -> Bool {
    let all = versions[sector]
    return all.contains { $0.id == id && !isSuperseded($0, in: all, at: moment) }
  }

  /// Whether a sector may hold a version after a crash.
  ///
  /// - Parameter keepsCaches: Whether only the program ended, so that whatever was acknowledged is there.
  func allowsAfterCrash(_ id: UInt64, _ sector: Int, keepsCaches: Bool) -> Bool {
    keepsCaches ? allows(id, sector, readAt: .max) : versions[sector].contains { $0.id == id }
  }

  /// What a sector is known to hold from now on.
  mutating func settle(_ id: UInt64, _ sector: Int) {
    versions[sector] = [Version(number: 0, id: id, submitted: time, answered: time)]
  }

  func describe(_ sector: Int) -> String {
    versions[sector].map { "\($0.id) (\($0.submitted) to \($0.answered == .max ? "?" : "\($0.answered)"))" }
      .joined(separator: ", ")
  }
}

/// Sectors that say which version they are, and whether they are whole.
enum SectorContents {
  static func write(_ id: UInt64, _ sectors: Range<Int>) -> BlockBuffer {
    let buffer = BlockBuffer(count: sectors.count * SimulatedDisk.sectorSize)
    guard id != 0 else { return buffer }
    for (place, sector) in sectors.enumerated() {
      let start = place * SimulatedDisk.sectorSize
      for offset in stride(from: 0, to: SimulatedDisk.sectorSize, by: 16) {
        buffer.bytes.put(id, at: start + offset)
        buffer.bytes.put(UInt64(sector), at: start + offset + 8)
      }
    }
    return buffer
  }

  /// The version that a sector holds; nil when it is none.
  static func version(_ bytes: UnsafeMutableRawBufferPointer, _ place: Int, sector: Int) -> UInt64? {
    let start = place * SimulatedDisk.sectorSize
    let id = bytes.get(UInt64.self, at: start)
    let expected = id == 0 ? 0 : UInt64(sector)
    for offset in [0, 240, SimulatedDisk.sectorSize - 16] {
      guard bytes.get(UInt64.self, at: start + offset) == id,
        bytes.get(UInt64.self, at: start + offset + 8) == expected
      else { return nil }
    }
    return id
  }
}
