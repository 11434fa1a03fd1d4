/// Extents side by side: the unit of allocation, and of the mapping of a volume.
package struct ExtentRun: Hashable, Sendable {
  /// The first extent.
  package var start: UInt32
  /// How many extents; never zero in a mapping.
  package var count: UInt32

  /// Extents from `start` on.
  package init(start: UInt32, count: UInt32) {
    self.start = start
    self.count = count
  }

  /// The extent behind the last one.
  package var end: UInt32 { start + count }
}

/// The free extents of a pool, as runs that do not touch each other.
///
/// A treap by the start of the run, in which every node knows the longest run below it: the first run of at least
/// some length, the longest run, and the run at a place are found, and runs are added and removed, in time
/// logarithmic in the number of runs. A node's priority is a hash of its start, so that the shape follows from
/// the contents.
struct FreeExtents {
  private struct Node {
    var run: ExtentRun
    /// The longest run in the tree of this node.
    var longest: UInt32
    var left: Int32 = 0
    var right: Int32 = 0
  }

  /// Node 0 stands for none.
  private var nodes = [Node(run: ExtentRun(start: 0, count: 0), longest: 0)]
  private var unused: [Int32] = []
  private var root: Int32 = 0
  /// How many extents are free.
  private(set) var count = 0
  /// How many runs they are.
  private(set) var runCount = 0

  /// The longest run there is; zero when nothing is free.
  var longest: UInt32 { nodes[Int(root)].longest }

  /// The run with the lowest start that has at least this many extents.
  func first(atLeast wanted: UInt32) -> ExtentRun? {
    guard wanted > 0, longest >= wanted else { return nil }
    var index = root
    while true {
      let node = nodes[Int(index)]
      if nodes[Int(node.left)].longest >= wanted {
        index = node.left
      } else if node.run.count >= wanted {
        return node.run
      } else {
        index = node.right
      }
    }
  }

  /// The run with the greatest start that is not above this extent.
  func last(notAbove extent: UInt32) -> ExtentRun? {
    var index = root
    var found: ExtentRun?
    while index != 0 {
      let node = nodes[Int(index)]
      if node.run.start <= extent {
        found = node.run
        index = node.right
      } else {
        index = node.left
      }
    }
    return found
  }

  /// The free run that holds this extent.
  func run(holding extent: UInt32) -> ExtentRun? {
    guard let run = last(notAbove: extent), extent < run.end else { return nil }
    return run
  }

  /// Whether all of these extents are free.
  func contains(_ wanted: ExtentRun) -> Bool {
    guard let run = run(holding: wanted.start) else { return false }
    return wanted.count <= run.end - wanted.start
  }

  /// Takes extents that are free.
  ///
  /// - Precondition: ``contains(_:)``.
  mutating func take(_ wanted: ExtentRun) {
    guard wanted.count > 0, let run = run(holding: wanted.start) else { return }
    precondition(wanted.count <= run.end - wanted.start, "only free extents are taken")
    remove(run)
    if run.start < wanted.start { insert(ExtentRun(start: run.start, count: wanted.start - run.start)) }
    if wanted.end < run.end { insert(ExtentRun(start: wanted.end, count: run.end - wanted.end)) }
  }

  /// Gives extents back, which join the runs beside them; false, and nothing done, when one of them is free already.
  mutating func give(_ freed: ExtentRun) -> Bool {
    guard freed.count > 0 else { return true }
    var joined = freed
    if let before = last(notAbove: freed.end - 1), before.end > freed.start { return false }
    if let behind = run(holding: freed.end) {
      remove(behind)
      joined.count += behind.count
    }
    if freed.start > 0, let before = run(holding: freed.start - 1) {
      remove(before)
      joined = ExtentRun(start: before.start, count: before.count + joined.count)
    }
    insert(joined)
    return true
  }

  /// All runs by their start.
  var runs: [ExtentRun] {
    var runs: [ExtentRun] = []
    runs.reserveCapacity(runCount)
    var path: [Int32] = []
    var index = root
    while index != 0 || !path.isEmpty {
      while index != 0 {
        path.append(index)
        index = nodes[Int(index)].left
      }
      let top = path.removeLast()
      runs.append(nodes[Int(top)].run)
      index = nodes[Int(top)].right
    }
    return runs
  }

  private mutating func insert(_ run: ExtentRun) {
    let new: Int32
    if let index = unused.popLast() {
      new = index
      nodes[Int(index)] = Node(run: run, longest: run.count)
    } else {
      new = Int32(nodes.count)
      nodes.append(Node(run: run, longest: run.count))
    }
    let (left, right) = split(root, before: run.start)
    root = merge(merge(left, new), right)
    count += Int(run.count)
    runCount += 1
  }

  private mutating func remove(_ run: ExtentRun) {
    let (left, rest) = split(root, before: run.start)
    let (node, right) = split(rest, before: run.start + 1)
    unused.append(node)
    root = merge(left, right)
    count -= Int(run.count)
    runCount -= 1
  }

  private mutating func split(_ tree: Int32, before start: UInt32) -> (Int32, Int32) {
    guard tree != 0 else { return (0, 0) }
    if nodes[Int(tree)].run.start < start {
      let (left, right) = split(nodes[Int(tree)].right, before: start)
      nodes[Int(tree)].right = left
      update(tree)
      return (tree, right)
    }
    let (left, right) = split(nodes[Int(tree)].left, before: start)
    nodes[Int(tree)].left = right
    update(tree)
    return (left, tree)
  }

  private mutating func merge(_ left: Int32, _ right: Int32) -> Int32 {
    if left == 0 { return right }
    if right == 0 { return left }
    if priority(left) > priority(right) {
      nodes[Int(left)].right = merge(nodes[Int(left)].right, right)
      update(left)
      return left
    }
    nodes[Int(right)].left = merge(left, nodes[Int(right)].left)
    update(right)
    return right
  }

  private mutating func update(_ index: Int32) {
    let node = nodes[Int(index)]
    nodes[Int(index)].longest = max(
      node.run.count, nodes[Int(node.left)].longest, nodes[Int(node.right)].longest)
  }

  /// A mixed start (the finalizer of MurmurHash3), different for different starts.
  private func priority(_ index: Int32) -> UInt32 {
    var mixed = nodes[Int(index)].run.start
    mixed = (mixed ^ (mixed >> 16)) &* 0x85eb_ca6b
    mixed = (mixed ^ (mixed >> 13)) &* 0xc2b2_ae35
    return mixed ^ (mixed >> 16)
  }
}
