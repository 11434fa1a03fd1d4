import BlockEngine
import ExtentPool
import Glibc
import HostInterface
import LinuxBlockDevices
import SystemPackage

/// Files in a directory that goes when this process ends, and engines on them.
final class EngineScene {
  let directory: FilePath
  let loop: AIOLoop
  private let leash: Leash

  /// - Parameter parent: Where the directory is made: what is measured is this file system.
  init(in parent: String) throws {
    var template = Array("\(parent)/quartet.XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw Failure.system(Errno(rawValue: errno), parent, "cannot make a directory in it")
    }
    directory = FilePath(String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self))
    leash = try Leash("rm -rf \"$1\"", [directory.string])
    loop = try AIOLoop()
  }

  func end() { leash.end() }

  /// A file: sparse, or written in whole, so that no contestant waits for the file system to find room.
  func file(_ name: String, bytes: Int, isSparse: Bool = false) throws -> FilePath {
    let path = directory.appending(name)
    let file = try FileDescriptor.open(
      path, .writeOnly, options: [.create, .truncate], permissions: .ownerReadWrite)
    defer { try? file.close() }
    guard !isSparse else {
      try file.resize(to: Int64(bytes))
      return path
    }
    var part = [UInt8](repeating: 0, count: 1 << 20)
    for index in part.indices { part[index] = UInt8(truncatingIfNeeded: index &* 167 ^ index >> 8) }
    for _ in 0..<bytes >> 20 { try file.writeAll(part) }
    fsync(file.rawValue)
    posix_fadvise(file.rawValue, 0, 0, POSIX_FADV_DONTNEED)
    return path
  }

  /// Makes a mirror of files, and opens it.
  func mirror(
    _ files: [any BlockDevice], data: Mirror.InitialData = .identical,
    options: MirrorOptions = MirrorOptions()
  ) throws -> Mirror {
    var random = SystemRandomNumberGenerator()
    try loop.finish {
      Mirror.create(
        on: files, id: Self.identity(), data: data, overwrite: true, random: { random.next() }, $0)
    }
    return try open(files, options: options)
  }

  func open(_ files: [any BlockDevice], options: MirrorOptions = MirrorOptions()) throws -> Mirror {
    try loop.value {
      Mirror.open(on: files, clock: self.loop, options: options, random: { .random(in: 1 ... .max) }, $0)
    }
  }

  /// Makes a pool.
  func pool(on device: any BlockDevice, extentSize: Int = 4 << 20) throws -> ExtentPool {
    try loop.value {
      ExtentPool.create(on: device, id: Self.identity(), extentSize: extentSize, overwrite: true, $0)
    }
  }

  private static func identity() -> [UInt8] { (0..<16).map { _ in UInt8.random(in: 0...255) } }
}

extension AIOLoop {
  /// Starts something, and runs until it has called back.
  func finish(_ start: (@escaping (Failure?) -> Void) throws -> Void) throws {
    let _: Void = try value { end in try start { end($0.map(Result.failure) ?? .success(())) } }
  }

  /// The same for what gives a value.
  func value<Value>(_ start: (@escaping (Result<Value, Failure>) -> Void) throws -> Void) throws -> Value {
    var result: Result<Value, Failure>?
    try start { result = $0 }
    try run { result != nil }
    return try result?.get() ?? { throw Failure(.timedOut, "engine", "gave no answer") }()
  }
}
