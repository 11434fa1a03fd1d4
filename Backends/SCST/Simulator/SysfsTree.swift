import SystemPackage

/// A tree of sysfs: entries by their path below the root, without a slash at either end.
struct SysfsTree: Sendable {
  enum Entry: Sendable, Hashable {
    case directory
    case link(String)
    /// A file with its mode bits; what only takes writes has no content.
    case file(mode: UInt16, String?)
    /// A file that cannot be read.
    case broken(mode: UInt16, Errno)
  }

  private(set) var entries: [String: Entry] = ["": .directory]
  private var children: [String: Set<String>] = [:]
  /// What was put, changed or removed since ``takeTouched()``.
  private var touched: Set<String> = []

  subscript(path: String) -> Entry? { entries[path] }

  /// The names in a directory, sorted.
  func names(in path: String) -> [String] {
    (children[path] ?? []).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// The names of the directories in a directory.
  func directories(in path: String) -> [String] {
    names(in: path).filter { entries[path + "/" + $0] == .directory }
  }

  /// Puts an entry in an existing directory, in the place of what is there.
  mutating func put(_ path: String, _ entry: Entry) {
    let (parent, name) = Self.split(path)
    touched.insert(path)
    entries[path] = entry
    children[parent, default: []].insert(name)
  }

  mutating func putFile(_ path: String, _ content: String?, mode: UInt16 = 0o644) {
    put(path, .file(mode: mode, content))
  }

  /// Changes what a file holds; its mode stays.
  mutating func set(_ path: String, _ content: String) {
    guard case .file(let mode, _) = entries[path] else { return }
    touched.insert(path)
    entries[path] = .file(mode: mode, content)
  }

  /// Removes an entry with all below it.
  mutating func remove(_ path: String) {
    for name in children[path] ?? [] { remove(path + "/" + name) }
    touched.insert(path)
    children[path] = nil
    entries[path] = nil
    let (parent, name) = Self.split(path)
    children[parent]?.remove(name)
  }

  /// An entry with all below it.
  func subtree(_ path: String) -> [String: Entry] {
    var list: [String: Entry] = [:]
    list[path] = entries[path]
    for name in children[path] ?? [] { list.merge(subtree(path + "/" + name)) { $1 } }
    return list
  }

  /// The paths of entries that changed since the last call.
  mutating func takeTouched() -> Set<String> {
    defer { touched = [] }
    return touched
  }

  /// The first line of a file.
  func line(_ path: String) -> String? {
    guard case .file(_, let content?) = entries[path] else { return nil }
    return String(content.prefix { $0 != "\n" })
  }

  /// The last name of what a link leads to.
  func linkName(_ path: String) -> String? {
    guard case .link(let destination) = entries[path] else { return nil }
    return destination.split(separator: "/").last.map(String.init)
  }

  /// The path behind links: those on the way are followed, the last name as well where that is asked for.
  func resolved(_ path: String, followingLast: Bool) -> String {
    if case .link? = entries[path] {
      guard followingLast else { return path }
    } else if entries[path] != nil {
      return path
    }
    var found: [Substring] = []
    var left = path.split(separator: "/")[...]
    // A link of this tree leads to no other link.
    var links = 8
    while let name = left.popFirst() {
      guard name != "." else { continue }
      guard name != ".." else {
        _ = found.popLast()
        continue
      }
      found.append(name)
      guard !left.isEmpty || followingLast, links > 0,
        case .link(let destination)? = entries[found.joined(separator: "/")]
      else { continue }
      links -= 1
      found.removeLast()
      left = destination.split(separator: "/") + left
    }
    return found.joined(separator: "/")
  }

  private static func split(_ path: String) -> (parent: String, name: String) {
    guard let slash = path.lastIndex(of: "/") else { return ("", path) }
    return (String(path[..<slash]), String(path[path.index(after: slash)...]))
  }
}
