import Glibc
import HostInterface
import SystemPackage

/// Does system calls for a path; the error number that one answers becomes a ``Failure`` about the path.
@discardableResult
func onPath<Value>(_ path: FilePath, _ problem: String, _ calls: () throws -> Value) throws -> Value {
  do {
    return try calls()
  } catch let number as Errno {
    throw Failure.system(number, "\(path)", problem)
  }
}

/// Throws the error number of a system call that answered less than 0.
@discardableResult
func checked<Number: SignedInteger>(_ answer: Number) throws -> Number {
  guard answer < 0 else { return answer }
  throw Errno(rawValue: errno)
}

extension Duration {
  /// The duration for poll(2), rounded up so that a wait never ends early: 0 to `bound` milliseconds.
  func milliseconds(atMost bound: Int32) -> Int32 {
    guard self > .zero else { return 0 }
    let (seconds, attoseconds) = components
    guard seconds < Int64(bound) / 1000 + 1 else { return bound }
    return Int32(
      min(Int64(bound), seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000))
  }
}
