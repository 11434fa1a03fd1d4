import BlockEngine
import EmbeddedPool
import ExtentPool
import Glibc
import HostInterface
import LinuxBlockDevices
import LinuxHost
import ReplicatedVolume
import SystemPackage
import Testing

/// A pool on files of one test, in a directory of its own that is removed at the end.
final class ScratchPool {
  let directory: FilePath
  let legs: [FilePath]
  let places: PoolPlaces

  /// Makes a mirrored pool with one volume, `data`.
  ///
  /// - Parameters:
  ///   - smallDisk: How many bytes the file system has, at most, that the last legs are on.
  ///   - legsThere: How many those are.
  init(
    legs count: Int = 2, size: Int = 16 << 20, volume extents: Int = 8, smallDisk: Int? = nil,
    legsThere: Int = 1
  ) throws {
    var template = Array("/var/tmp/quartet-test-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    let directory = FilePath(platformString: template)
    self.directory = directory
    let small = directory.appending("small")
    if let smallDisk {
      try #require(mkdir(small.string, 0o700) == 0)
      try #require(mount("none", small.string, "tmpfs", 0, "size=\(smallDisk)") == 0)
    }
    legs = try (0..<count).map { number in
      let isSmall = smallDisk != nil && number >= count - legsThere
      let path = (isSmall ? small : directory).appending("leg-\(number)")
      let file = try FileDescriptor.open(path, .readWrite, options: .create, permissions: .ownerReadWrite)
      try file.resize(to: Int64(size))
      try file.close()
      return path
    }
    let loop = try AIOLoop()
    defer { loop.end() }
    let files = try legs.map { try AIOFile($0, on: loop) }
    var random = SystemRandomNumberGenerator()
    let id = (0..<16).map { _ in UInt8.random(in: 0...255) }
    var device: any BlockDevice = files[0]
    if count > 1 {
      try loop.finish { Mirror.create(on: files, id: id, data: .identical, random: { random.next() }, $0) }
      let mirror: Mirror = try loop.value {
        Mirror.open(on: files, clock: loop, random: { .random(in: 1 ... .max) }, $0)
      }
      device = mirror
    }
    let pool: ExtentPool = try loop.value { ExtentPool.create(on: device, id: id, extentSize: 1 << 20, $0) }
    try loop.finish { pool.createVolume(try VolumeName("data"), extents: extents, $0) }
    if let mirror = device as? Mirror { try loop.finish { mirror.close($0) } }
    places = PoolPlaces(
      descriptions: directory.appending("pools"), runtime: directory.appending("run"))
    var description = PoolDescription(
      name: try PoolName("p"),
      id: id.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined(),
      legs: try legs.map { try LegAddress($0.string) })
    description.stallSeconds = 2
    try places.write(description, on: LocalHost())
  }

  /// How many bytes are to be copied when the mirror is opened.
  func outOfSyncAtOpening() throws -> Int {
    let loop = try AIOLoop()
    defer { loop.end() }
    let files = try legs.map { try AIOFile($0, on: loop) }
    let mirror: Mirror = try loop.value {
      Mirror.open(on: files, clock: loop, random: { .random(in: 1 ... .max) }, $0)
    }
    let count = mirror.outOfSync
    try loop.finish { mirror.close($0) }
    return count
  }

  /// What libnbd's own client finds at an export.
  func info(_ server: Server, _ export: String) throws -> String {
    try run("nbdinfo '\(server.uri(of: export))'")
  }

  /// What a command of the shell says.
  func run(_ command: String) throws -> String {
    let pipe = try #require(popen(command + " 2>&1", "r"))
    defer { pclose(pipe) }
    var bytes = [UInt8](repeating: 0, count: 64 << 10)
    let count = fread(&bytes, 1, bytes.count, pipe)
    return String(decoding: bytes.prefix(count), as: UTF8.self)
  }

  /// Opens the mirror as after any crash, waits until it is in sync, and compares its legs.
  func differences() throws -> [Range<Int>] {
    guard legs.count > 1 else { return [] }
    let loop = try AIOLoop()
    defer { loop.end() }
    let files = try legs.map { try AIOFile($0, on: loop) }
    let mirror: Mirror = try loop.value {
      Mirror.open(on: files, clock: loop, random: { .random(in: 1 ... .max) }, $0)
    }
    let limit = loop.schedule(after: .seconds(60)) { Issue.record("the resync does not end") }
    try loop.run { mirror.isInSync }
    limit.cancel()
    let found: [Range<Int>] = try loop.value { mirror.verify($0) }
    try loop.finish { mirror.close($0) }
    return found
  }

  /// Has a command carried out by whoever serves the pool, or on the legs.
  @discardableResult
  func perform(_ request: PoolRequest) async throws -> PoolReport {
    let pools = EmbeddedPools(on: LocalHost(), places: places)
    return try await pools.perform(request, on: pools.existing(PoolName("p"))).report
  }

  /// Waits until so much is written to the first leg; its blocks are holes before.
  func waitUntilWritten(_ bytes: Int) async throws {
    for _ in 0..<2000 {
      var status = stat()
      if stat(legs[0].string, &status) == 0, Int(status.st_blocks) * 512 >= bytes { return }
      try await Task.sleep(for: .milliseconds(10))
    }
    Issue.record("nothing is written")
  }

  /// Makes room where the last legs are.
  func growSmallDisk(to size: Int) throws {
    let small = directory.appending("small")
    try #require(mount("none", small.string, "tmpfs", UInt(MS_REMOUNT), "size=\(size)") == 0)
  }

  deinit {
    umount2(directory.appending("small").string, Int32(MNT_DETACH))
    Self.remove(directory)
  }

  private static func remove(_ path: FilePath) {
    guard unlink(path.string) != 0 else { return }
    for name in (try? LocalHost().list(path)) ?? [] { remove(path.appending(name)) }
    rmdir(path.string)
  }
}

extension AIOLoop {
  /// Runs until something has called back.
  func finish(_ start: (@escaping (Failure?) -> Void) throws -> Void) throws {
    var answer: Failure??
    try start { answer = .some($0) }
    try run { answer != nil }
    if case .some(let failure?) = answer { throw failure }
  }

  func value<Value>(_ start: (@escaping (Result<Value, Failure>) -> Void) throws -> Void) throws -> Value {
    var result: Result<Value, Failure>?
    try start { result = $0 }
    try run { result != nil }
    return try #require(result).get()
  }
}
