/// The mounts of a process, as /proc/self/mountinfo lists them.
struct MountTable {
  /// One file system at one place.
  struct Mount {
    /// The device that the file system is on; major 0 where there is none of its own.
    var device: DeviceNumber
    /// Where it is mounted.
    var point: String
    /// What was given to mount(8) as its source.
    var source: String
  }

  /// The mounts, in the order of the file.
  let mounts: [Mount]

  /// Reads the lines: `ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [TAGS] - TYPE SOURCE OPTIONS` (proc(5)).
  ///
  /// A line of another form is passed over.
  init(_ text: String) {
    mounts = text.split(separator: "\n").compactMap { line in
      let words = line.split(separator: " ", omittingEmptySubsequences: false)
      guard words.count > 6, let device = DeviceNumber(words[2]),
        let dash = words[6...].firstIndex(of: "-"), words.count > dash + 2
      else { return nil }
      return Mount(device: device, point: unescaped(words[4]), source: unescaped(words[dash + 2]))
    }
  }
}

/// Takes back what the kernel does to blanks and backslashes in its lists: three octal digits behind a backslash.
func unescaped(_ word: some StringProtocol) -> String {
  let bytes = Array(word.utf8)
  var plain: [UInt8] = []
  var index = 0
  while index < bytes.count {
    let digits = bytes[index...].dropFirst().prefix(3)
    if bytes[index] == UInt8(ascii: "\\"), digits.count == 3,
      let byte = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
    {
      plain.append(byte)
      index += 4
    } else {
      plain.append(bytes[index])
      index += 1
    }
  }
  return String(decoding: plain, as: UTF8.self)
}
