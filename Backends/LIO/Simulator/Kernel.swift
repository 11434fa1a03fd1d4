import SystemPackage

/// The kernel's objects as configfs shows them; the file system's rules (fs/configfs/dir.c) are here, and what the
/// objects do is in the extensions.
struct Kernel: Sendable {
  typealias Number = Int

  struct Item: Sendable {
    var kind: Kind
    var name: String
    var parent: Number?
    var children: [String: Number] = [:]
    var links: [String: Number] = [:]
    var values: [String: String] = [:]
    /// Whether it came with its parent, so that it cannot be removed by itself.
    var isDefault = false
  }

  static let root: Number = 0
  var items: [Number: Item] = [root: Item(kind: .root, name: "target")]
  private var next = 1
  var backstores: [Number: Backstore] = [:]
  var hostCount = 0
  /// Sessions by their numbers.
  var sessions: [Int: Session] = [:]
  var sessionCount = 0
  /// Node ACLs that the kernel made by itself, by their portal groups: whether each may only read.
  var dynamicNodes: [Number: [String: Bool]] = [:]
  /// What links lead to an item.
  var linkers: [Number: Set<Number>] = [:]
  /// The files of each kind of directory that there is, by their names.
  private var files: [Kind: [String: Attribute]] = [:]
  /// What reservations each device's initiators hold.
  var reservations: [Number: Reservations] = [:]

  init() {
    learn(.root)
    addGroups(to: Self.root)
  }

  private mutating func learn(_ kind: Kind) {
    if files[kind] == nil {
      files[kind] = Dictionary(kind.attributes.map { ($0.name, $0) }) { first, _ in first }
    }
  }

  private func file(_ name: String, in number: Number) -> Attribute? { files[self[number].kind]?[name] }

  subscript(number: Number) -> Item {
    get { items[number] ?? Item(kind: .statistics, name: "") }
    set { items[number] = newValue }
  }

  // MARK: Paths

  /// What a path below `target` leads to.
  enum Place {
    case item(Number)
    case attribute(Attribute, of: Number)
    case link(to: Number)
  }

  func find(_ path: [String]) throws(Errno) -> Place {
    var here = Self.root
    for (index, name) in path.enumerated() {
      let isLast = index == path.count - 1
      if let child = self[here].children[name] {
        here = child
      } else if let destination = self[here].links[name] {
        if isLast { return .link(to: destination) }
        here = destination
      } else if let attribute = file(name, in: here) {
        guard isLast else { throw .notDirectory }
        return .attribute(attribute, of: here)
      } else {
        throw .noSuchFileOrDirectory
      }
    }
    return .item(here)
  }

  /// The directory that a new entry is for.
  func parent(of path: [String]) throws(Errno) -> (Number, name: String) {
    guard let name = path.last else { throw .notPermitted }
    switch try find(path.dropLast()) {
    case .item(let number), .link(let number): return (number, name)
    case .attribute: throw .notDirectory
    }
  }

  /// The names from `target` down to an item.
  func path(of number: Number) -> [String] {
    guard let parent = self[number].parent else { return [] }
    return path(of: parent) + [self[number].name]
  }

  func list(_ path: [String]) throws(Errno) -> [String] {
    guard case .item(let number) = try find(path) else { throw .notDirectory }
    let item = self[number]
    return Array(item.children.keys) + Array(item.links.keys) + Array(files[item.kind, default: [:]].keys)
  }

  // MARK: Directories

  @discardableResult
  mutating func add(_ kind: Kind, _ name: String, to parent: Number) -> Number {
    learn(kind)
    let number = next
    next += 1
    items[number] = Item(kind: kind, name: name, parent: parent)
    self[parent].children[name] = number
    addGroups(to: number)
    return number
  }

  private mutating func addGroups(to number: Number) {
    for (name, kind) in self[number].kind.groups {
      let child = add(kind, name, to: number)
      self[child].isDefault = true
    }
  }

  mutating func createDirectory(_ path: [String], _ machine: Machine) throws(Errno) {
    let (parent, name) = try parent(of: path)
    let exists =
      self[parent].children[name] != nil || self[parent].links[name] != nil
      || file(name, in: parent) != nil
    if exists { throw .fileExists }
    guard let kind = try kind(ofNew: name, in: parent, machine) else { throw .notPermitted }
    let number = add(kind, name, to: parent)
    didCreate(number)
  }

  mutating func removeDirectory(_ path: [String]) throws(Errno) {
    guard case .item(let number) = try find(path) else { throw .notDirectory }
    guard !self[number].isDefault, self[number].parent != nil else { throw .notPermitted }
    try checkRemovable(number)
    willRemove(number)
    remove(number)
  }

  /// EBUSY for what a link leads to, ENOTEMPTY for what has something in it (configfs_detach_prep).
  private func checkRemovable(_ number: Number) throws(Errno) {
    guard linkers[number] == nil else { throw .resourceBusy }
    guard self[number].links.isEmpty else { throw .directoryNotEmpty }
    for child in self[number].children.values {
      guard self[child].isDefault else { throw .directoryNotEmpty }
      try checkRemovable(child)
    }
  }

  private mutating func remove(_ number: Number) {
    for child in self[number].children.values { remove(child) }
    if let parent = self[number].parent { self[parent].children[self[number].name] = nil }
    items[number] = nil
  }

  // MARK: Values

  func value(_ name: String, of number: Number) -> String {
    self[number].values[name] ?? file(name, in: number)?.initial ?? ""
  }

  /// A directory's child that came with it.
  func child(_ name: String, of number: Number) -> Number { self[number].children[name] ?? Self.root }

  /// The directory that an item is in.
  func above(_ number: Number) -> Number { self[number].parent ?? Self.root }

  func read(_ path: [String], _ machine: Machine) throws(Errno) -> String {
    guard case .attribute(let attribute, let number) = try find(path) else { throw .isDirectory }
    if case .writeOnly = attribute.rule { throw .permissionDenied }
    return try text(of: attribute, number, machine)
  }

  mutating func write(_ text: String, to path: [String], _ machine: Machine) throws(Errno) {
    guard case .attribute(let attribute, let number) = try find(path) else { throw .isDirectory }
    if case .readOnly = attribute.rule { throw .permissionDenied }
    try store(text, in: attribute, number, machine)
  }
}
