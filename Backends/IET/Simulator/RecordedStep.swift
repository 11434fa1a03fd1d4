import HostInterface

/// A line of a recording of IET; `Fixtures/IET/README.md` says what the fields are.
struct RecordedStep: Decodable, Sendable {
  var seq: Int
  var op: String
  var argv: [String]?
  var exit: Int32?
  var signal: String?
  var stdout: String?
  var stderr: String?
  var path: String?
  var result: String?
  var errno: String?
  var data: String?
  /// Whether a process runs.
  var running: Bool?
  /// What else the maker of the recording said of the step.
  var note: String?

  /// What was asked.
  var request: String {
    ([op] + [path].compactMap { $0 } + (argv ?? []).map { shellQuoted($0) }).joined(separator: " ")
  }
}
