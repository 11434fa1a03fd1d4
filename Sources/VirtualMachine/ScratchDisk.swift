import Glibc
import HostInterface
import SystemPackage

/// A disk of a guest, empty at first and gone with the last who has it.
///
/// It outlives a guest whose power was cut, and can be given to the next one.
public final class ScratchDisk: Sendable {
  /// What the guest sees as the disk's serial, and so as `/dev/disk/by-id/virtio-SERIAL`.
  public let serial: String
  /// The size in bytes.
  public let size: Int64
  let file: FileDescriptor

  /// Makes a disk that reads as zeros and takes room in /var/tmp for what is written only.
  ///
  /// - Parameters:
  ///   - serial: At most 20 letters, digits, `-` and `_` (the virtio standard, 5.2.6.1).
  ///   - size: In bytes, a multiple of 512.
  public init(serial: String, size: Int64 = 256 << 20) throws {
    guard (1...20).contains(serial.utf8.count), serial.allSatisfy({ $0.isWordCharacter || $0 == "-" }) else {
      throw Failure(.invalid, "disk \(serial)", "its serial is not 1 to 20 letters, digits, - and _")
    }
    guard size > 0, size % 512 == 0 else {
      throw Failure(.invalid, "disk \(serial)", "its size is no positive multiple of 512 (\(size) bytes)")
    }
    self.serial = serial
    self.size = size
    file = try unnamedFile()
    guard ftruncate(file.rawValue, Int(size)) == 0 else {
      throw Failure.system(Errno(rawValue: errno), "disk \(serial)", "cannot give it \(size) bytes")
    }
  }

  deinit { try? file.close() }
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
