import HostInterface

/// Where a leg of an embedded pool is: a file or block device of this machine, or an NBD export.
public enum LegAddress: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// The absolute path of a file or of a block device.
  case path(String)
  /// An NBD server's export, by its URI (NBD URI specification, github.com/NetworkBlockDevice/nbd, doc/uri.md).
  case nbd(String)

  private static let schemes = ["nbd://", "nbds://", "nbd+unix://", "nbds+unix://", "nbd+vsock://"]

  /// Reads an address as it stands on a command line or in a description.
  ///
  /// - Throws: ``Failure`` with code `invalid`.
  public init(_ text: String) throws {
    func refuse(_ why: String) -> Failure {
      Failure(
        .invalid, "leg \(shown(text))", why, remedy: "name a file or a block device, such as /srv/leg-a")
    }
    guard text.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7f }) else {
      throw refuse("has a control character")
    }
    guard text.utf8.count <= 1024 else { throw refuse("is longer than 1024 bytes") }
    if Self.schemes.contains(where: text.hasPrefix) {
      self = .nbd(text)
      return
    }
    guard text.hasPrefix("/"), text.utf8.count > 1, !text.hasSuffix("/") else {
      throw refuse("is neither an absolute path nor an NBD URI")
    }
    guard !text.split(separator: "/").contains("..") else { throw refuse("has .. in it") }
    self = .path(text)
  }

  /// The address as text.
  public var description: String {
    switch self {
    case .path(let text), .nbd(let text): text
    }
  }

  /// Orders by the text.
  public static func < (left: LegAddress, right: LegAddress) -> Bool { left.description < right.description }
}
