import BlockEngine
import ExtentPool
import Glibc
import HostInterface
import LinuxBlockDevices
import SystemPackage
import Testing

/// A pool on files of one test, in a directory of its own that is removed at the end.
final class ScratchPool {
  let directory: FilePath
  let legs: [FilePath]

  /// Makes a mirrored pool with one volume, `data`.
  init(legs count: Int = 2, size: Int = 64 << 20, volume extents: Int = 32) throws {
    var template = Array("/var/tmp/quartet-test-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    let directory = FilePath(platformString: template)
    self.directory = directory
    legs = try (0..<count).map { number in
      let path = directory.appending("leg-\(number)")
      let file = try FileDescriptor.open(path, .readWrite, options: .create, permissions: .ownerReadWrite)
      try file.resize(to: Int64(size))
      try file.close()
      return path
    }
    let loop = try AIOLoop()
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
  }

  deinit {
    for name in (try? Self.entries(directory)) ?? [] { unlink(directory.appending(name).string) }
    rmdir(directory.string)
  }

  private static func entries(_ directory: FilePath) throws -> [String] {
    guard let stream = opendir(directory.string) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
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
