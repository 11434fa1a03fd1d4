import Simulation

extension SimulatedTgtd {
  /// Whether a call can change a tgtd: for ``FaultingHost``, so that the requests `show` and `stat` do not count.
  ///
  /// Calls about other things than tgtd can change something, and count.
  @Sendable
  public static func isChange(_ call: HostCall) -> Bool {
    switch call {
    case .exchange(_, let bytes):
      guard case .request(let request) = TgtadmRequest.read(bytes) else { return true }
      return request.operation != .show && request.operation != .stat
    case .run(let argv) where argv.first?.hasSuffix("tgtadm") == true:
      guard let line = try? TgtadmCommandLine(Array(argv.dropFirst())) else { return false }
      return line.request.operation != .show && line.request.operation != .stat
    default: return true
    }
  }
}
