import Glibc
import SystemPackage

/// The names of error numbers in recordings.
private let names: [(String, Int32)] = [
  ("EPERM", EPERM), ("ENOENT", ENOENT), ("EINTR", EINTR), ("EIO", EIO), ("E2BIG", E2BIG), ("EAGAIN", EAGAIN),
  ("ENOMEM", ENOMEM), ("EACCES", EACCES), ("ENOTBLK", ENOTBLK), ("EBUSY", EBUSY), ("EEXIST", EEXIST),
  ("ENODEV", ENODEV), ("ENOTDIR", ENOTDIR), ("EISDIR", EISDIR), ("EINVAL", EINVAL), ("ERANGE", ERANGE),
  ("EBADSLT", EBADSLT), ("EMEDIUMTYPE", EMEDIUMTYPE),
  ("ENAMETOOLONG", ENAMETOOLONG),
]

/// The name of an error number, or the number itself.
func errorName(_ number: Errno) -> String {
  names.first { $0.1 == number.rawValue }?.0 ?? "\(number.rawValue)"
}

/// The error number of a name; of one that is unknown, EIO.
func errorNumber(of name: String) -> Errno {
  Errno(rawValue: names.first { $0.0 == name }?.1 ?? Int32(name) ?? EIO)
}
