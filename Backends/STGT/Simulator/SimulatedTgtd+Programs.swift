import HostInterface
import Simulation
import SystemPackage

/// The programs that Debian's package tgt has.
extension SimulatedTgtd {
  /// `tgtadm` and `tgtd`.
  public var programs: [String] { ["tgtadm", "tgtd"] }

  /// Runs `tgtadm`, or starts this tgtd by `tgtd`.
  public func run(_ invocation: SimulatedInvocation, on host: SimulatedHost) -> SimulatedOutcome? {
    invocation.program == "tgtadm"
      ? Self.administer(invocation, on: host) : startDaemon(invocation, on: host)
  }

  private static func administer(_ invocation: SimulatedInvocation, on host: SimulatedHost)
    -> SimulatedOutcome
  {
    let line: TgtadmCommandLine
    do {
      line = try TgtadmCommandLine(Array(invocation.argv.dropFirst()))
    } catch let stop as TgtadmOptions.Stop {
      return .ended(CommandResult(status: stop.status, output: Array(stop.output.utf8), errors: stop.errors))
    } catch {
      return .ended(CommandResult(status: 1))
    }
    func ended(_ status: Int32, _ line: String) -> SimulatedOutcome {
      .ended(CommandResult(status: status, errors: "tgtadm: \(line)\n"))
    }
    do throws(Errno) {
      switch try host.converse(with: Self.socket(invocation, port: line.controlPort), line.request.bytes) {
      case .silence: return .hangs
      case .bytes(let reply): return outcome(of: reply, ended)
      }
    } catch {
      // tgtadm does not see that it is not connected before it writes, which answers ENOTCONN.
      return ended(107, "failed to send request hdr to tgt daemon, Transport endpoint is not connected")
    }
  }

  private static func outcome(of reply: [UInt8], _ ended: (Int32, String) -> SimulatedOutcome)
    -> SimulatedOutcome
  {
    guard !reply.isEmpty else { return ended(0, "tgtd closed the socket") }
    guard reply.count >= TgtadmReply.headerSize else { return ended(0, "a partial response") }
    let (error, length) = reply.withUnsafeBytes {
      (
        $0.loadUnaligned(fromByteOffset: 0, as: UInt32.self),
        $0.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
      )
    }
    guard error == 0 else {
      return ended(22, TgtadmError(rawValue: error)?.text ?? "(unknown tgtadm_errno)")
    }
    // Where the rest does not come, tgtadm reads for ever.
    guard reply.count >= Int(length) else { return .hangs }
    return .ended(
      CommandResult(status: 0, output: Array(reply.dropFirst(TgtadmReply.headerSize).prefix { $0 != 0 })))
  }

  private static func socket(_ invocation: SimulatedInvocation, port: Int16) -> FilePath {
    FilePath("\(invocation.environment["TGT_IPC_SOCKET"] ?? "/var/run/tgtd/socket").\(port)")
  }

  /// tgtd goes to the background before it looks whether another one runs, so it always exits with 0.
  private func startDaemon(_ invocation: SimulatedInvocation, on host: SimulatedHost) -> SimulatedOutcome? {
    var rest = invocation.argv.dropFirst()
    var port = Int16()
    var portals: String?
    while let word = rest.popFirst() {
      switch word {
      case "-C", "--control-port": port = rest.popFirst().flatMap { Int16($0) } ?? 0
      case "--iscsi": portals = rest.popFirst()
      case "-V", "--version": return .ended(CommandResult(status: 0, output: Array("1.0.85\n".utf8)))
      default: break
      }
    }
    guard Self.socket(invocation, port: port) == socketPath else { return nil }
    start(on: host, portals: portals)
    return .ended(CommandResult(status: 0))
  }
}
