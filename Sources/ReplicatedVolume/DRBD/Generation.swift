import HostInterface

/// The generation of DRBD in the kernel, by which drbdadm(8) chooses the grammar of its files.
public enum Generation: Sendable, Hashable {
  /// 8.4, which is in the mainline kernel.
  case eight
  /// 9, which is out of tree.
  case nine

  /// Reads the answer of `drbdadm --version`.
  ///
  /// `DRBD_KERNEL_VERSION_CODE` is 0x080410 for 8.4.16; without the module it is 0, and drbdadm reads its files by
  /// the grammar of 9.
  ///
  /// - Throws: ``Failure`` with code `garbled`.
  public init(version text: String) throws {
    let key = "DRBD_KERNEL_VERSION_CODE=0x"
    let line = text.split(separator: "\n").first { $0.hasPrefix(key) }
    guard let code = line.flatMap({ UInt32($0.dropFirst(key.count).trimmed, radix: 16) }) else {
      throw Failure(.garbled, "drbdadm --version", "tells no version of the kernel's DRBD")
    }
    switch code >> 16 {
    case 8: self = .eight
    default: self = .nine
    }
  }
}
