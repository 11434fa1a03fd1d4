/// An archive in the `newc` format that the kernel unpacks as its initramfs.
///
/// Source: Documentation/driver-api/early-userspace/buffer-format.rst. A header is 110 bytes of ASCII, its numbers
/// 8 hexadecimal digits each; name and data are padded to 4 bytes.
struct CPIOArchive {
  /// The archive so far, without its trailer.
  private var entries: [UInt8] = []
  private var count: UInt32 = 0

  /// The whole archive.
  var bytes: [UInt8] {
    var whole = self
    whole.add("TRAILER!!!", mode: 0, [])
    return whole.entries
  }

  /// Adds a directory.
  mutating func addDirectory(_ name: String) { add(name, mode: 0o040755, []) }

  /// Adds a program or file that anyone may read and run.
  mutating func addFile(_ name: String, _ data: [UInt8]) { add(name, mode: 0o100755, data) }

  /// Adds a symbolic link.
  mutating func addLink(_ name: String, to destination: String) {
    add(name, mode: 0o120777, Array(destination.utf8))
  }

  /// Adds a character device.
  mutating func addDevice(_ name: String, major: UInt32, minor: UInt32) {
    add(name, mode: 0o020600, [], device: (major, minor))
  }

  private mutating func add(
    _ name: String, mode: UInt32, _ data: [UInt8], device: (major: UInt32, minor: UInt32) = (0, 0)
  ) {
    count += 1
    // ino, mode, uid, gid, nlink, mtime, filesize, maj, min, rmaj, rmin, namesize with its null byte, chksum
    let numbers: [UInt32] = [
      count, mode, 0, 0, 1, 0, UInt32(truncatingIfNeeded: data.count), 0, 0, device.major, device.minor,
      UInt32(truncatingIfNeeded: name.utf8.count + 1), 0,
    ]
    entries += Array("070701".utf8)
    for number in numbers {
      let digits = Array(String(number, radix: 16).utf8)
      entries += [UInt8](repeating: UInt8(ascii: "0"), count: 8 - digits.count) + digits
    }
    entries += Array(name.utf8) + [0]
    pad()
    entries += data
    pad()
  }

  private mutating func pad() {
    while entries.count % 4 != 0 { entries.append(0) }
  }
}
