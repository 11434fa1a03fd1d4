import HostInterface
import TargetCore

/// One of IET's access files, as ietd reads it (usr/plain.c, `match`).
///
/// A line is `TARGET ITEM[,ITEM...]`, TARGET a name in any case or `ALL`. Only the first line that is about a target
/// counts for it. A line that does not end in a newline is not read, and neither is what an over-long line begins with.
struct AccessFile {
  /// The files, by their names below /etc/iet or /etc.
  enum Kind: String, CaseIterable {
    case initiatorsAllow = "initiators.allow"
    case initiatorsDeny = "initiators.deny"
    case targetsAllow = "targets.allow"
  }

  /// A line that counts.
  struct Line: Hashable {
    /// The whole line.
    var text: String
    /// Whom it is about: a target's name in lower case, or `ALL`.
    var target: String
    /// The items as they stand there.
    var items: [String]
  }

  /// The most bytes that ietd reads of a line, its newline included.
  static let lineLimit = 4095

  /// How the remark begins that keeps the list of a target that is out of service; the target's name follows.
  static let disabledMark = "#quartet-disabled:"

  /// The lines that count, in order.
  private(set) var lines: [Line] = []
  /// The remarks that keep the list of a target that is out of service, by the target; the first one counts.
  private(set) var disabled: [String: Line] = [:]

  init(_ text: String) {
    var rest = text.utf8[...]
    while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
      take(Array(rest[..<end]))
      rest = rest[end...].dropFirst()
    }
  }

  private mutating func take(_ line: [UInt8]) {
    // As fgets(3) cuts it: what is behind the last full part is a line of its own.
    let read = line.count < Self.lineLimit ? line[...] : line.suffix(line.count % Self.lineLimit)
    guard !read.contains(0), let (word, rest) = Self.word(read) else { return }
    let text = String(decoding: line, as: UTF8.self)
    if word.hasPrefix(Self.disabledMark) {
      let target = String(word.dropFirst(Self.disabledMark.count)).asciiLowercased
      if disabled[target] == nil {
        disabled[target] = Line(text: text, target: target, items: Self.items(rest))
      }
    }
    guard word.first != "#" else { return }
    let target = word == "ALL" ? word : word.asciiLowercased
    lines.append(Line(text: text, target: target, items: Self.items(rest)))
  }

  /// The first word and what is behind the blank that ends it; nil where no blank does, which is no line to ietd.
  private static func word(_ line: ArraySlice<UInt8>) -> (String, ArraySlice<UInt8>)? {
    let start = line.drop(while: isBlank)
    guard let end = start.firstIndex(where: isBlank) else { return nil }
    return (String(decoding: start[..<end], as: UTF8.self), start[end...].dropFirst())
  }

  private static func items(_ text: ArraySlice<UInt8>) -> [String] {
    text.split(separator: UInt8(ascii: ",")).map { item in
      var item = item.drop(while: isBlank)
      while let last = item.last, isBlank(last) { item.removeLast() }
      return String(decoding: item, as: UTF8.self)
    }.filter { !$0.isEmpty }
  }

  /// isspace(3); a newline is none here, since it ended the line.
  private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }

  /// The line that decides about a target; nil when none does.
  func deciding(_ target: String) -> Line? {
    lines.first { $0.target == target || $0.target == "ALL" }
  }

  /// Whether a target has any line.
  func names(_ target: String) -> Bool { lines.contains { $0.target == target } || disabled[target] != nil }
}
