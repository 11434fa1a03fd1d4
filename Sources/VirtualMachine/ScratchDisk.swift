import Glibc
import HostInterface
import LinuxHost
import Synchronization
import SystemPackage

/// A disk of a guest, empty at first and gone with the last who has it.
///
/// It outlives a guest whose power was cut, and can be given to the next one.
public final class ScratchDisk: Sendable {
  /// What the guest sees as the disk's serial, and so as `/dev/disk/by-id/virtio-SERIAL`.
  public let serial: String
  /// The size in bytes.
  public let size: Int64
  /// Whether what the guest did not flush is lost when its power is cut.
  ///
  /// QEMU notes where in a qcow2 file a block is when that is written the first time, and keeps the note in its memory
  /// until the guest flushes. So each guest gets a new layer of blocks of 4 KiB, and a cut takes the blocks from it that
  /// this guest has written once or more often since its last flush and not before that. What it wrote before its last
  /// flush and writes again is kept.
  public let hasVolatileCache: Bool
  /// The raw file, and what was laid above it, each the backing file of the next one.
  private let layers: Mutex<[FileDescriptor]>

  /// Makes a disk that reads as zeros and takes room in /var/tmp for what is written only.
  ///
  /// - Parameters:
  ///   - serial: At most 20 letters, digits, `-` and `_` (the virtio standard, 5.2.6.1).
  ///   - size: In bytes, a multiple of 512.
  public init(serial: String, size: Int64 = 256 << 20, hasVolatileCache: Bool = false) throws {
    guard (1...20).contains(serial.utf8.count), serial.allSatisfy({ $0.isWordCharacter || $0 == "-" }) else {
      throw Failure(.invalid, "disk \(serial)", "its serial is not 1 to 20 letters, digits, - and _")
    }
    guard size > 0, size % 512 == 0 else {
      throw Failure(.invalid, "disk \(serial)", "its size is no positive multiple of 512 (\(size) bytes)")
    }
    self.serial = serial
    self.size = size
    self.hasVolatileCache = hasVolatileCache
    let file = try unnamedFile()
    layers = Mutex([file])
    guard ftruncate(file.rawValue, Int(size)) == 0 else {
      throw Failure.system(Errno(rawValue: errno), "disk \(serial)", "cannot give it \(size) bytes")
    }
  }

  deinit { layers.withLock { for file in $0 { try? file.close() } } }

  /// What QEMU is given.
  var file: FileDescriptor { layers.withLock { $0[$0.count - 1] } }
  /// What it is to QEMU.
  var format: String { layers.withLock { $0.count == 1 ? "raw" : "qcow2" } }

  /// Makes it ready for a guest that is about to be switched on.
  ///
  /// - Throws: ``Failure/Code/unavailable`` when qemu-img is missing or cannot make a layer.
  func prepare() async throws {
    guard hasVolatileCache else { return }
    let layer = try unnamedFile()
    // By numbers of this process, which QEMU and qemu-img, who have others, find as well.
    let argv = [
      "qemu-img", "create", "-q", "-u", "-f", "qcow2", "-o", "cluster_size=4096", "-F", format, "-b",
      Self.path(file), Self.path(layer), "\(size)",
    ]
    let result = try await LocalHost().run(argv, environment: [:], input: [], limit: .seconds(30))
    guard result.status == 0 else {
      try? layer.close()
      throw Failure(
        .unavailable, "disk \(serial)", "qemu-img cannot make a layer of it", answer: result.errors.trimmed)
    }
    layers.withLock { $0.append(layer) }
  }

  private static func path(_ file: FileDescriptor) -> String { "/proc/\(getpid())/fd/\(file.rawValue)" }
}

/// An empty file that is gone with its last descriptor, however that is closed.
///
/// In /var/tmp, because /dev/shm of a container has room for 64 MiB only.
func unnamedFile() throws -> FileDescriptor {
  let path = FilePath("/var/tmp/quartet-" + String(UInt64.random(in: .min ... .max), radix: 36))
  do {
    let file = try FileDescriptor.open(
      path, .readWrite, options: [.create, .exclusiveCreate, .closeOnExec], permissions: .ownerReadWrite)
    unlink(path.string)
    return file
  } catch let number as Errno {
    throw Failure.system(number, "\(path)", "cannot make a file for a virtual machine")
  }
}

extension Character {
  /// Whether it is an ASCII letter, a digit or `_`.
  var isWordCharacter: Bool { isASCII && (isLetter || isNumber || self == "_") }
}
