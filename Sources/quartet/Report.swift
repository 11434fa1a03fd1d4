import Glibc
import HostInterface
import Quartet

/// Messages for people, on standard error; standard output is for data.
enum Report {
  static func failure(_ failure: Failure) {
    for line in failure.description.split(separator: "\n") { message("quartet: \(line)") }
    for left in failure.leftovers { message("quartet: not undone: \(left)") }
  }

  static func warning(_ text: String) { message("quartet: warning: \(text)") }

  static func message(_ line: String) {
    // What the system answered may hold anything; a terminal must not read it as commands.
    let printable = line.unicodeScalars.map { scalar in
      scalar.value < 0x20 || scalar.value == 0x7f ? scalar.escaped(asASCII: true) : String(scalar)
    }.joined()
    write(printable + "\n", to: STDERR_FILENO)
  }

  /// Writes text as it is.
  static func write(_ text: String, to descriptor: Int32) {
    if let sink = Machine.sink { return sink(text, descriptor) }
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return }
      bytes = bytes.dropFirst(count)
    }
  }

  /// An observer that shows the steps with `-v`, and a progress line on a terminal when there are many.
  static func observer(verbose: Bool) -> @Sendable (ExecutionEvent) -> Void {
    let terminal = isatty(STDERR_FILENO) == 1
    return { event in
      switch event {
      case .starting(let step, let number, let total):
        if verbose {
          message("[\(number)/\(total)] \(step.reason): \(step.operation.display)")
        } else if terminal, total > 36 {
          let end = number == total ? "\r\u{1b}[K" : ""
          write("\r\u{1b}[K[\(number)/\(total)] \(step.reason.prefix(60))\(end)", to: STDERR_FILENO)
        }
      case .undoing(let operation):
        message("quartet: undoing: \(operation.display)")
      }
    }
  }
}
