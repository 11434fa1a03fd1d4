import HostInterface
import TargetCore

/// What is wrong with a state file, all of it, each problem with its place.
struct Problems {
  /// How many are kept to be shown; the others are counted.
  static let shown = 100

  /// The file's name as errors show it.
  let file: String
  private var list: [(position: Position, failure: Failure)] = []
  private var known: Set<Failure> = []
  private var others = 0

  init(file: String) { self.file = ISCSIName.printable(file, limit: 1024) }

  /// Whether more of them would only be counted, so that no work need go into their words.
  var isFull: Bool { list.count >= Self.shown }

  /// `FILE:LINE:COLUMN`, as compilers write it.
  func place(_ position: Position) -> String { "\(file):\(position.line):\(position.column)" }

  mutating func add(
    _ position: Position, _ subject: String, _ problem: String, remedy: String? = nil
  ) {
    add(Failure(.invalid, subject, problem, remedy: remedy), at: position)
  }

  /// Takes a failure from below, which knows no place.
  mutating func add(_ failure: Failure, at position: Position) {
    guard !isFull else { return others += 1 }
    var failure = failure
    failure.subject = "\(place(position)): \(failure.subject)"
    // What stands in an anchor is read once for every alias of it.
    if known.insert(failure).inserted { list.append((position, failure)) }
  }

  /// Everything as one failure, in the order of the text; nil when nothing is wrong.
  var failure: Failure? {
    let failures = list.sorted {
      ($0.position.line, $0.position.column) < ($1.position.line, $1.position.column)
    }
    .map(\.failure)
    guard let first = failures.first else { return nil }
    if failures.count == 1 { return first }
    let code = failures.allSatisfy { $0.code == first.code } ? first.code : .invalid
    let total = others == 0 ? "\(failures.count)" : "more than \(failures.count)"
    let lines = failures.map(\.description).joined(separator: "\n")
    return Failure(code, file, "has \(total) problems:\n\(lines)")
  }
}
