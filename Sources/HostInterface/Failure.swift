import SystemPackage

/// What went wrong, on what, what the system answered, and what to do next.
///
/// The one error type of Quartet. It never carries a secret: whatever puts text into it takes that text from
/// ``Text/display`` or from the system's own answer with secrets masked.
public struct Failure: Error, Sendable, Hashable {
  /// What kind of failure this is; programs decide by it, never by the text.
  public struct Code: Sendable, Hashable, CustomStringConvertible {
    /// The stable name of the code, as it stands in JSON.
    public let description: String

    init(_ name: String) { description = name }

    /// The request itself is malformed or out of range; nothing was touched.
    public static let invalid = Code("invalid")
    /// The implementation cannot express the request; nothing was touched.
    public static let unsupported = Code("unsupported")
    /// The object does not exist.
    public static let notFound = Code("not-found")
    /// The object is already there with another specification.
    public static let exists = Code("exists")
    /// The object is used by something else.
    public static let inUse = Code("in-use")
    /// A limit of time ran out; the outcome on the system is unknown or incomplete.
    public static let timedOut = Code("timed-out")
    /// The operation goes on inside the system although nobody waits for it any longer.
    public static let stillRunning = Code("still-running")
    /// Another process holds the lock.
    public static let locked = Code("locked")
    /// The system denied access.
    public static let permission = Code("permission")
    /// A daemon, kernel module or program that is needed is not there.
    public static let unavailable = Code("unavailable")
    /// The system refused the operation.
    public static let refused = Code("refused")
    /// The system reported success, and reading back shows that it did not do it.
    public static let notTaken = Code("not-taken")
    /// The system answered with something that its interface does not allow.
    public static let garbled = Code("garbled")
    /// The run was interrupted by a signal or a cancelled task.
    public static let interrupted = Code("interrupted")

    /// Every code, for readers of what was written down.
    package static let all: [Code] = [
      .invalid, .unsupported, .notFound, .exists, .inUse, .timedOut, .stillRunning, .locked, .permission,
      .unavailable, .refused, .notTaken, .garbled, .interrupted,
    ]
  }

  /// The kind of failure.
  public var code: Code
  /// The object concerned, such as `lun 3 of iqn.2011-12.com.example:disk1`.
  public var subject: String
  /// What was attempted and why it failed, with the value and its bound where there is one.
  public var problem: String
  /// What the system itself answered: an error name, the text of standard error.
  public var answer: String?
  /// The system's error number, if it gave one.
  public var errno: Errno?
  /// What the reader can do next.
  public var remedy: String?
  /// Changes that were made and could not be undone, each as the step that would undo it.
  public var leftovers: [String]

  /// Creates a failure.
  public init(
    _ code: Code, _ subject: String, _ problem: String, answer: String? = nil, errno: Errno? = nil,
    remedy: String? = nil, leftovers: [String] = []
  ) {
    self.code = code
    self.subject = subject
    self.problem = problem
    self.answer = answer
    self.errno = errno
    self.remedy = remedy
    self.leftovers = leftovers
  }

  /// A failed system call: the code follows from the error number.
  ///
  /// - Parameters:
  ///   - errno: The number that the system call answered.
  ///   - subject: The path, socket or object that it was about.
  ///   - problem: What was attempted, such as `cannot open for writing`.
  ///   - remedy: What to do next; a sensible one is chosen for denied access.
  public static func system(
    _ errno: Errno, _ subject: String, _ problem: String, remedy: String? = nil
  ) -> Failure {
    let code: Code
    switch errno {
    case .noSuchFileOrDirectory, .noSuchAddressOrDevice: code = .notFound
    case .fileExists: code = .exists
    case .resourceBusy, .textFileBusy, .addressInUse: code = .inUse
    case .permissionDenied, .notPermitted: code = .permission
    case .readOnlyFileSystem: code = .permission
    case .connectionRefused: code = .unavailable
    case .timedOut: code = .timedOut
    case .interrupted: code = .interrupted
    default: code = .refused
    }
    let advice =
      remedy ?? (code == .permission && errno != .readOnlyFileSystem ? "run it as root" : nil)
    return Failure(
      code, subject, problem, answer: "\(errno) (errno \(errno.rawValue))", errno: errno, remedy: advice)
  }
}

extension Failure {
  /// The same failure, which also tells what was done before it and stays.
  public func keeping(_ done: [String]) -> Failure {
    guard !done.isEmpty else { return self }
    var failure = self
    let note = "done before it, and kept: \(done.joined(separator: "; "))"
    failure.remedy = remedy.map { "\($0); \(note)" } ?? note
    return failure
  }
}

extension Failure: CustomStringConvertible {
  /// One line: subject, problem, the system's answer, the remedy.
  public var description: String {
    var line = "\(subject): \(problem)"
    if let answer, !answer.isEmpty { line += ": \(answer)" }
    if let remedy { line += "; \(remedy)" }
    return line
  }
}
