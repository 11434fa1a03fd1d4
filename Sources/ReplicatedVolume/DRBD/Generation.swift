import HostInterface

/// The generation of DRBD in the kernel, by which drbdadm(8) chooses the grammar of its files.
public enum Generation: Sendable, Hashable {
  /// 8.4, which is in the mainline kernel.
  case eight
  /// 9, which is out of tree.
  case nine

  /// Reads a version such as `8.4.11`, as the first line of `/proc/drbd` and `modinfo -F version drbd` have it.
  ///
  /// - Throws: ``Failure`` with code `unsupported` for a version that is neither 8.4 nor 9.
  init(version text: some StringProtocol) throws {
    let parts = text.split(separator: ".").map { Int($0) }
    switch (parts.first ?? nil, parts.count > 1 ? parts[1] : nil) {
    case (8, 4): self = .eight
    case (9, _): self = .nine
    default: throw Failure(.unsupported, "DRBD \(shown(String(text)))", "is neither 8.4 nor 9")
    }
  }

  /// Reads `/proc/drbd`, which begins with `version: 8.4.11 (api:1/proto:86-101)`.
  init(proc text: String) throws {
    let words = text.split(separator: " ", maxSplits: 2)
    guard words.count > 1, words[0] == "version:" else {
      throw Failure(.garbled, "/proc/drbd", "does not begin with a version")
    }
    try self.init(version: words[1])
  }
}
