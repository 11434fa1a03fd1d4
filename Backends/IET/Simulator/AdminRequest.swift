import Glibc
import SystemPackage

/// How a request of ietadm failed.
struct AdminError: Error {
  /// What ietadm gets, as a negative error number.
  var number: Int32
  /// Whether ietd ended over it.
  var endsDaemon = false

  init(_ errno: Errno) { number = -errno.rawValue }

  private init(number: Int32, endsDaemon: Bool) {
    self.number = number
    self.endsDaemon = endsDaemon
  }

  /// Most failures of the kernel come back as -1, which is EPERM's number.
  static let anything = AdminError(number: -1, endsDaemon: false)
  /// ietd ends without an answer.
  static let death = AdminError(number: -EIO, endsDaemon: true)
}

/// A command line of ietadm that is being answered; without anything else it ends with -EINVAL and no word.
struct AdminRequest {
  var options: IetadmOptions
  var status: Int32 = 256 - EINVAL
  var output = ""
  var errors = ""
  /// Whether it waits for ever.
  var waits = false

  mutating func end(_ error: AdminError) {
    status = (256 + error.number) & 0xff
    if error.number < 0 { errors += "\(String(cString: strerror(-error.number))).\n" }
  }
}

extension IETMachine {
  /// Sends a request to ietd.
  mutating func ask(
    _ request: inout AdminRequest, _ answer: (inout IETMachine) throws(AdminError) -> Void
  ) {
    guard daemon != nil else { return request.end(AdminError(.connectionRefused)) }
    // ietd closes the socket on everyone else, mostly before the request is written.
    guard callerIsRoot else { return request.status = 128 + SIGPIPE }
    if isFrozen { return request.waits = true }
    do throws(AdminError) {
      try answer(&self)
      request.status = 0
    } catch {
      if error.endsDaemon {
        endDaemon()
        request.errors += "ietd_response_recv 170 0 -5\n"
      }
      request.end(error)
    }
  }
}
