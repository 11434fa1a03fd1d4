/// Ranges that are being changed: who overlaps an earlier one waits for it.
///
/// Two writes of one block that are in flight together could reach two legs in a different order.
final class RangeLocks {
  private struct Entry {
    let id: Int
    let range: Range<Int>
    /// Nil once it is granted.
    var grant: ((Int) -> Void)?
  }

  /// In the order of arrival.
  private var entries: [Entry] = []
  private var lastID = 0
  /// Whether everybody is let in at once, which is wrong: for tests of the tests.
  let isOpen: Bool

  init(isOpen: Bool = false) { self.isOpen = isOpen }

  /// Calls back with a token when no earlier range overlaps.
  func acquire(_ range: Range<Int>, _ grant: @escaping (Int) -> Void) {
    lastID += 1
    let id = lastID
    let isFree = isOpen || !entries.contains { $0.range.overlaps(range) }
    entries.append(Entry(id: id, range: range, grant: isFree ? nil : grant))
    if isFree { grant(id) }
  }

  func release(_ id: Int) {
    guard let place = entries.firstIndex(where: { $0.id == id }) else { return }
    let range = entries.remove(at: place).range
    var granted: [(Int, (Int) -> Void)] = []
    for index in place..<entries.count {
      guard let grant = entries[index].grant, entries[index].range.overlaps(range) else { continue }
      if entries[..<index].contains(where: { $0.range.overlaps(entries[index].range) }) { continue }
      entries[index].grant = nil
      granted.append((entries[index].id, grant))
    }
    for (id, grant) in granted { grant(id) }
  }
}
