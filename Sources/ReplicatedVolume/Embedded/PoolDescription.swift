import FoundationEssentials
import HostInterface
import SystemPackage

/// An embedded pool as its file describes it: a JSON object, one file for each pool, named as the pool is.
///
///     {"quartet": 1, "id": "3f…", "legs": ["/srv/a", "/srv/b"]}
///
/// What else may stand there: `creating` (true while the pool is being made), `resyncRate` (bytes a second),
/// `stallSeconds` (how long a leg may take to answer before it is dropped).
public struct PoolDescription: Sendable, Hashable {
  /// The pool's name.
  public var name: PoolName
  /// What the legs are known by: 16 random bytes in hexadecimal.
  public var id: String
  /// Where the legs are, in the order of their numbers.
  public var legs: [LegAddress]
  /// Whether the pool is not complete: the run that makes it has not ended.
  public var isBeingCreated = false
  /// How many bytes a second a resync copies at most; nil for as many as it can.
  public var resyncRate: Int?
  /// How many seconds a leg may take to answer; nil for 10.
  public var stallSeconds: Int?

  /// The most legs that a pool has.
  public static let legLimit = 8

  /// Describes a new pool.
  public init(name: PoolName, id: String, legs: [LegAddress]) {
    self.name = name
    self.id = id
    self.legs = legs
  }

  private struct Document: Codable {
    var quartet: Int
    var id: String
    var legs: [String]
    var creating: Bool?
    var resyncRate, stallSeconds: Int?
  }

  /// Reads a file's contents.
  ///
  /// - Throws: ``Failure`` with code `garbled` that names the file.
  public init(_ bytes: [UInt8], name: PoolName, file: String) throws {
    func garbled(_ why: String, _ answer: String? = nil) -> Failure {
      Failure(
        .garbled, "pool \(name)", "its description \(file) cannot be used: \(why)", answer: answer,
        remedy: "repair the file, or remove it and run `quartet pool import \(name)` with its legs")
    }
    let document: Document
    do {
      document = try JSONDecoder().decode(Document.self, from: Data(bytes))
    } catch {
      throw garbled("it is no JSON object with quartet, id and legs")
    }
    guard document.quartet == 1 else { throw garbled("it is of version \(document.quartet), and 1 is known") }
    guard document.id.utf8.count == 32, document.id.utf8.allSatisfy(Self.isHexadecimal) else {
      throw garbled("the id has not 32 hexadecimal digits")
    }
    guard (1...Self.legLimit).contains(document.legs.count) else {
      throw garbled("it has \(document.legs.count) legs, and 1 to \(Self.legLimit) are possible")
    }
    self.name = name
    id = document.id
    do {
      legs = try document.legs.map { try LegAddress($0) }
    } catch let failure as Failure { throw garbled("\(failure.subject) \(failure.problem)") }
    guard Set(legs).count == legs.count else { throw garbled("a leg stands there twice") }
    isBeingCreated = document.creating ?? false
    if let rate = document.resyncRate, rate <= 0 { throw garbled("resyncRate is \(rate)") }
    if let seconds = document.stallSeconds, !(1...3600).contains(seconds) {
      throw garbled("stallSeconds is \(seconds), and 1 to 3600 are possible")
    }
    (resyncRate, stallSeconds) = (document.resyncRate, document.stallSeconds)
  }

  private static func isHexadecimal(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
      || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
  }

  /// The file's contents.
  public func encoded() throws -> [UInt8] {
    let document = Document(
      quartet: 1, id: id, legs: legs.map(\.description), creating: isBeingCreated ? true : nil,
      resyncRate: resyncRate, stallSeconds: stallSeconds)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return Array(try encoder.encode(document)) + [UInt8(ascii: "\n")]
  }

  /// An ``id`` of 16 bytes.
  public static func id(of bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  /// The 16 bytes of ``id``.
  public var idBytes: [UInt8] {
    let digits = Array(id.utf8).map { $0 >= UInt8(ascii: "a") ? $0 - UInt8(ascii: "a") + 10 : $0 & 15 }
    return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
  }
}

extension PoolPlaces {
  /// The description of a pool; nil when there is none, so that the pool can only be LVM's.
  public func read(_ name: PoolName, on host: any HostFiles) throws -> PoolDescription? {
    let file = description(of: name)
    guard try host.status(file) != nil else { return nil }
    return try PoolDescription(host.read(file), name: name, file: "\(file)")
  }

  /// Where a volume can be exported from: that of an embedded pool where it is attached, any other where LVM has it.
  ///
  /// - Throws: ``Failure`` when the pool's description cannot be read.
  public func place(of path: VolumePath, on host: any HostFiles) throws -> String {
    try host.status(description(of: path.pool)) == nil ? path.device : volume(path).string
  }

  /// The volume that is at a path while it is attached; nil for any other path.
  public func volume(at path: String) -> VolumePath? {
    let directory = runtime.appending("volumes").string + "/"
    return path.hasPrefix(directory) ? try? VolumePath(String(path.dropFirst(directory.count))) : nil
  }

  /// The names of the pools that are described.
  public func names(on host: any HostFiles) throws -> [PoolName] {
    guard try host.status(descriptions) != nil else { return [] }
    // A file that is being replaced has a name that no pool can have, or is gone a moment later.
    return try host.list(descriptions).compactMap { try? PoolName($0) }
  }

  /// Writes a description, whole or not at all.
  public func write(_ pool: PoolDescription, on host: any HostFiles) throws {
    try makeDirectory(descriptions, on: host)
    try host.replace(description(of: pool.name), with: pool.encoded(), mode: 0o600)
  }

  /// Makes a directory and those above it.
  public func makeDirectory(_ path: FilePath, on host: any HostFiles) throws {
    guard try host.status(path) == nil else { return }
    let above = path.removingLastComponent()
    if above != path, !above.isEmpty { try makeDirectory(above, on: host) }
    do { try host.createDirectory(path) } catch let failure as Failure where failure.code == .exists {}
  }
}
