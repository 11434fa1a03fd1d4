import CNBDKit
import Glibc
import HostInterface
import SystemPackage

/// Does the work of a callback: 0 when it succeeds, or -1, with the failure told to nbdkit.
func status(_ body: () throws -> Void) -> CInt {
  do {
    try body()
    return 0
  } catch {
    let failure = error as? Failure ?? Failure(.invalid, "quartet", "\(error)")
    quartet_nbdkit_error(failure.description)
    nbdkit_set_error(failure.errorNumber)
    return -1
  }
}

/// Does the work of a callback that serves a connection.
func status(of handle: UnsafeMutableRawPointer?, _ body: (Connection) throws -> Void) -> CInt {
  status {
    guard let connection = Connection.of(handle) else { throw Failure(.invalid, "quartet", "no connection") }
    try body(connection)
  }
}

extension Failure {
  /// What a client is told; NBD knows few numbers, and nbdkit makes EINVAL of any other (NBD protocol, "Error values").
  var errorNumber: CInt {
    switch errno {
    case .notPermitted?, .noMemory?, .noSpace?, .invalidArgument?, .ioError?: errno?.rawValue ?? EIO
    default: code == .invalid ? EINVAL : EIO
    }
  }
}
