import Glibc
import HostInterface
import SystemPackage

extension TranscriptEntry {
  /// Notes a failure: its error number by name, and what it told.
  mutating func note(_ failure: Failure, _ disguise: Disguise) {
    errno = failure.errno.map(\.name)
    self.failure = Problem(
      code: failure.code.description, subject: disguise.hide(failure.subject),
      problem: disguise.hide(failure.problem), answer: failure.answer.map(disguise.hide),
      remedy: failure.remedy.map(disguise.hide))
  }

  /// The failure that the entry tells of; nil where the request succeeded.
  func recordedFailure(_ disguise: Disguise) -> Failure? {
    let number = errno.flatMap { Errno(name: $0.hasPrefix("open:") ? String($0.dropFirst(5)) : $0) }
    if let failure {
      let code = Failure.Code.all.first { $0.description == failure.code } ?? .refused
      return Failure(
        code, disguise.reveal(failure.subject), disguise.reveal(failure.problem),
        answer: failure.answer.map(disguise.reveal), errno: number,
        remedy: failure.remedy.map(disguise.reveal))
    }
    guard let errno else { return nil }
    let subject = path.map(disguise.reveal) ?? argv?.first ?? op
    if let number { return .system(number, subject, "cannot \(op)") }
    return Failure(.stillRunning, subject, "cannot \(op)", answer: errno)
  }
}

extension Errno {
  /// The number's name, or the number itself.
  var name: String { errorNumbers.first { $0.1 == rawValue }?.0 ?? "\(rawValue)" }

  /// The number that has this name.
  init?(name: String) {
    guard let number = errorNumbers.first(where: { $0.0 == name })?.1 ?? Int32(name) else { return nil }
    self.init(rawValue: number)
  }
}

/// The names of error numbers that files, devices, sockets and targets answer (errno(3)).
private let errorNumbers: [(String, Int32)] = [
  ("EPERM", EPERM), ("ENOENT", ENOENT), ("ESRCH", ESRCH), ("EINTR", EINTR), ("EIO", EIO), ("ENXIO", ENXIO),
  ("E2BIG", E2BIG), ("ENOEXEC", ENOEXEC), ("EBADF", EBADF), ("ECHILD", ECHILD), ("EAGAIN", EAGAIN),
  ("ENOMEM", ENOMEM), ("EACCES", EACCES), ("EFAULT", EFAULT), ("ENOTBLK", ENOTBLK), ("EBUSY", EBUSY),
  ("EEXIST", EEXIST), ("EXDEV", EXDEV), ("ENODEV", ENODEV), ("ENOTDIR", ENOTDIR), ("EISDIR", EISDIR),
  ("EINVAL", EINVAL), ("ENFILE", ENFILE), ("EMFILE", EMFILE), ("ENOTTY", ENOTTY), ("ETXTBSY", ETXTBSY),
  ("EFBIG", EFBIG), ("ENOSPC", ENOSPC), ("ESPIPE", ESPIPE), ("EROFS", EROFS), ("EMLINK", EMLINK),
  ("EPIPE", EPIPE), ("EDOM", EDOM), ("ERANGE", ERANGE), ("EDEADLK", EDEADLK), ("ENAMETOOLONG", ENAMETOOLONG),
  ("ENOLCK", ENOLCK), ("ENOSYS", ENOSYS), ("ENOTEMPTY", ENOTEMPTY), ("ELOOP", ELOOP), ("EBADSLT", EBADSLT),
  ("ENODATA", ENODATA), ("ETIME", ETIME), ("EPROTO", EPROTO), ("EBADMSG", EBADMSG), ("EOVERFLOW", EOVERFLOW),
  ("EUSERS", EUSERS), ("EMSGSIZE", EMSGSIZE), ("EPROTONOSUPPORT", EPROTONOSUPPORT),
  ("EOPNOTSUPP", EOPNOTSUPP),
  ("EADDRINUSE", EADDRINUSE), ("EADDRNOTAVAIL", EADDRNOTAVAIL), ("ENETUNREACH", ENETUNREACH),
  ("ECONNABORTED", ECONNABORTED), ("ECONNRESET", ECONNRESET), ("ENOBUFS", ENOBUFS), ("EISCONN", EISCONN),
  ("ENOTCONN", ENOTCONN), ("ETIMEDOUT", ETIMEDOUT), ("ECONNREFUSED", ECONNREFUSED),
  ("EHOSTUNREACH", EHOSTUNREACH),
  ("EALREADY", EALREADY), ("EINPROGRESS", EINPROGRESS), ("ESTALE", ESTALE), ("EDQUOT", EDQUOT),
  ("ENOMEDIUM", ENOMEDIUM), ("EMEDIUMTYPE", EMEDIUMTYPE), ("ECANCELED", ECANCELED),
  ("EKEYREJECTED", EKEYREJECTED),
]
