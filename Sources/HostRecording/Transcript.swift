import FoundationEssentials
import HostInterface

/// What was asked of a host and what it answered, in order: one JSON object a line.
///
/// Lines that are empty or begin with `#` are remarks.
public struct Transcript: Sendable, Hashable {
  /// The entries, in order.
  public var entries: [TranscriptEntry]

  /// A transcript of these entries.
  public init(entries: [TranscriptEntry] = []) { self.entries = entries }

  /// Reads a transcript's text.
  ///
  /// - Throws: ``HostInterface/Failure/Code/garbled`` with the number of the line that is no entry.
  public init(text: String) throws {
    let decoder = JSONDecoder()
    entries = []
    // By bytes: a line that ends in CR LF would not be split between characters.
    for (number, line) in text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
      .enumerated()
    where !Substring(line).trimmed.isEmpty && line.first != UInt8(ascii: "#") {
      do {
        let head = try decoder.decode(Head.self, from: Data(line))
        let isKnown = TranscriptEntry.known.contains(head.op)
        entries.append(isKnown ? try decoder.decode(TranscriptEntry.self, from: Data(line)) : head.entry)
      } catch {
        throw Failure(
          .garbled, "transcript line \(number + 1)", "is no entry of a transcript", answer: "\(error)")
      }
    }
  }

  /// The transcript as text.
  public var text: String {
    get throws {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      return try entries.map { String(decoding: try encoder.encode($0), as: UTF8.self) + "\n" }.joined()
    }
  }

  /// What every entry has, of whatever request it is.
  private struct Head: Decodable {
    var seq: Int?
    var section: String?
    var op: String

    var entry: TranscriptEntry {
      var entry = TranscriptEntry(op)
      (entry.seq, entry.section) = (seq, section)
      return entry
    }
  }
}
