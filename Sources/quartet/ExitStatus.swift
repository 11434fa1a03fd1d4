import HostInterface

/// Exit statuses; `quartet --help` documents them.
enum ExitStatus: Int32 {
  case done = 0
  case failed = 1
  case differs = 2
  case invalid = 3
  case notFound = 4
  case exists = 5
  case inUse = 6
  case permission = 7
  case unavailable = 8
  case timedOut = 9
  case leftovers = 10
  case interrupted = 130

  /// The status of a failure.
  init(_ failure: Failure) {
    guard failure.leftovers.isEmpty else {
      self = .leftovers
      return
    }
    switch failure.code {
    case .invalid, .unsupported: self = .invalid
    case .notFound: self = .notFound
    case .exists: self = .exists
    case .inUse: self = .inUse
    case .permission: self = .permission
    case .unavailable: self = .unavailable
    case .timedOut, .stillRunning, .locked: self = .timedOut
    case .interrupted: self = .interrupted
    default: self = .failed
    }
  }
}
