import SystemPackage

/// A file of configfs: what it holds at first, and what it makes of what is written.
struct Attribute: Sendable {
  enum Rule: Sendable {
    /// Cannot be opened for writing.
    case readOnly
    /// Cannot be opened for reading.
    case writeOnly
    /// Takes any text, without the newline at its end.
    case text
    /// Takes what the kernel reads as a truth value (kstrtobool in lib/kstrtox.c).
    case flag
    /// Takes a number in a range.
    case number(ClosedRange<Int>)
    /// Takes one of a few numbers.
    case oneOf(Set<Int>)
    /// Takes a truth value, and stays what it is.
    case deaf
    /// Takes only 1: the device cannot do without it.
    case always
    /// Takes only 0: the device does not have it.
    case never
    /// Takes one of a few texts.
    case words(Set<String>)
  }

  let name: String
  let initial: String
  let rule: Rule
  /// Whether it cannot be changed once a LUN shows the device.
  let isFixedByExport: Bool

  init(_ name: String, _ initial: String, _ rule: Rule, fixed: Bool = false) {
    self.name = name
    self.initial = initial
    self.rule = rule
    isFixedByExport = fixed
  }

  /// The value that a written text gives.
  func value(of written: String, now: String) throws(Errno) -> String {
    let text = written.last == "\n" ? String(written.dropLast()) : written
    switch rule {
    case .readOnly: throw .permissionDenied
    case .writeOnly, .text: return text
    case .words(let words):
      guard words.contains(text) else { throw .invalidArgument }
      return text
    case .flag: return try Self.flag(text) ? "1" : "0"
    case .deaf:
      _ = try Self.flag(text)
      return now
    case .always:
      guard try Self.flag(text) else { throw .noFunction }
      return now
    case .never:
      guard try !Self.flag(text) else { throw .noFunction }
      return now
    case .number(let range):
      guard let number = Int(text), range.contains(number) else { throw .invalidArgument }
      return String(number)
    case .oneOf(let numbers):
      guard let number = Int(text), numbers.contains(number) else { throw .invalidArgument }
      return String(number)
    }
  }

  private static func flag(_ text: String) throws(Errno) -> Bool {
    switch text.first {
    case "1", "y", "Y", "t", "T": return true
    case "0", "n", "N", "f", "F": return false
    case "o", "O":
      switch text.dropFirst().first {
      case "n", "N": return true
      case "f", "F": return false
      default: throw .invalidArgument
      }
    default: throw .invalidArgument
    }
  }
}
