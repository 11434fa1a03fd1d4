import Glibc

/// The signals that end nbdkit (nbdkit(1), "Signals"), told to the engine as well.
///
/// nbdkit 1.32 waits, when it is to end, until every client has gone by itself; one that is idle, as a mounted device
/// is, would keep it for ever.
enum StopSignals {
  private static let numbers = [SIGTERM, SIGINT, SIGQUIT, SIGHUP]
  // Sound: both are set before a handler that uses them is installed, and not changed afterwards.
  private nonisolated(unsafe) static let earlier = UnsafeMutablePointer<sigaction>.allocate(capacity: 65)
  private nonisolated(unsafe) static var input: Int32 = -1

  /// Has a byte written to a pipe with each signal, before nbdkit's own handler runs.
  ///
  /// - Returns: The end of the pipe to read from; nil where the system gives none.
  static func observe() -> Int32? {
    var ends: [Int32] = [-1, -1]
    guard input < 0, pipe(&ends) == 0 else { return nil }
    for end in ends {
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
    }
    input = ends[1]
    earlier.initialize(repeating: sigaction(), count: 65)
    for number in numbers { sigaction(number, nil, earlier + Int(number)) }
    for number in numbers {
      var action = earlier[Int(number)]
      action.__sigaction_handler.sa_handler = { number in
        // Only what a handler may do (signal-safety(7)): it writes, and hands on.
        let saved = errno
        var byte: UInt8 = 0
        _ = write(StopSignals.input, &byte, 1)
        errno = saved
        let action = StopSignals.earlier[Int(number)]
        // SIG_DFL and SIG_IGN are no functions.
        if unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) > 1 {
          action.__sigaction_handler.sa_handler?(number)
        }
      }
      sigaction(number, &action, nil)
    }
    return ends[0]
  }
}
