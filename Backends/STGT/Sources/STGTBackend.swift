import HostInterface
import SystemPackage
import TargetCore

extension BackendDescriptor {
  /// STGT, the Linux SCSI target framework: tgtd in user space.
  public static let stgt = BackendDescriptor(
    name: "tgt", aliases: ["stgt"], summary: "STGT: tgtd in user space, over its management socket",
    settings: [
      "socket": "the management socket without its control port, as in TGT_IPC_SOCKET",
      "control-port": "the control port of tgtd (tgtd -C), 0 by default",
      "portals": "where a tgtd that Quartet starts listens, addresses with commas; everywhere by default",
    ]
  ) { settings in
    var channel = Channel()
    if let socket = settings["socket"] { channel.socket = socket }
    if let text = settings["control-port"] {
      guard let port = Int(text), (0...32767).contains(port) else {
        throw Failure(.invalid, "control port \(text)", "is no number, 0 to 32767 are allowed")
      }
      channel.controlPort = port
    }
    let portals = try (settings["portals"] ?? "").split(separator: ",").map { try Portal(String($0)) }
    return STGTBackend(channel: channel, portals: portals)
  }
}

/// Drives tgtd, by its management socket or, where that speaks an unknown version, by tgtadm.
struct STGTBackend: TargetBackend {
  let channel: Channel
  let portals: [Portal]

  var capabilities: Capabilities { .stgt }
  // One thread serves tgtd's management socket, one request after the other.
  var concurrency: Int { 1 }
  // It answers 0 to some requests and does nothing, such as a block size that it does not like.
  var answersAreProof: Bool { false }
  var lockName: String {
    "tgt"
      + channel.path.utf8.map { byte in
        isalnum(byte) ? String(UnicodeScalar(byte)) : "-"
      }.joined()
  }

  func probe(_ host: any Host) async -> Probe {
    guard host.executable("tgtadm") != nil || host.executable("tgtd") != nil else {
      return Probe(installed: false, running: false, detail: "tgtadm and tgtd are not installed")
    }
    do {
      _ = try await show(ManagementRequest(mode: .system, operation: .show), by: .socket, host)
    } catch {
      return Probe(installed: true, running: false, detail: "\(error)")
    }
    let version = try? await host.run(Command(["tgtadm", "--version"], limit: .seconds(5)))
    let text = version.map { String(decoding: $0.output, as: UTF8.self).trimmed }
    return Probe(installed: true, running: true, version: text, detail: "tgtd answers at \(channel.path)")
  }

  func startSteps() -> [Step] {
    let question = ManagementRequest(mode: .system, operation: .show)
    return [
      Step(.run(channel.daemon(portals: portals.map(\.description))), reason: "start tgtd"),
      Step(
        .exchange(channel.exchange(question)), reason: "wait until tgtd answers", patience: .seconds(10)),
    ]
  }

  /// How requests reach tgtd; the state remembers which way worked.
  enum Transport: String { case socket, tgtadm }

  static let transportFact = "transport"

  func operation(_ request: ManagementRequest, by transport: Transport) throws -> HostInterface.Operation {
    switch transport {
    case .socket: return .exchange(channel.exchange(request))
    case .tgtadm:
      guard !request.parameters.holdsSecret else {
        throw Failure(
          .unsupported, "CHAP account",
          "cannot be set, since this tgtd's socket speaks an unknown version and tgtadm takes secrets only as "
            + "arguments, where every user of the machine can read them")
      }
      return .run(channel.command(request))
    }
  }

  func judge(_ operation: HostInterface.Operation, _ answer: Result<Answer, Failure>) -> Verdict {
    switch (operation, answer) {
    case (.exchange(let request), .success(.reply(let reply))):
      do {
        _ = try ManagementReply.text(of: reply, to: channel.path)
        return .done
      } catch let failure as Failure {
        return verdict(failure, isRemoval: removesWhatMayBeGone(request.equivalent))
      } catch {
        return .failed(Failure(.garbled, channel.path, "cannot read tgtd's reply", answer: "\(error)"))
      }
    case (.run(let command), .success(.command(let result))) where command.argv.first == "tgtadm":
      // tgtadm exits with 0 when tgtd died under its request.
      guard let failure = tgtadmFailure(result) else { return .done }
      return verdict(failure, isRemoval: removesWhatMayBeGone(command))
    // A daemon that is just starting does not answer yet; only a step with patience waits for it.
    case (.exchange, .failure(let failure)) where failure.code == .unavailable: return .busy(failure)
    default: return Executor.plainJudge(operation, answer)
    }
  }

  private func verdict(_ failure: Failure, isRemoval: Bool) -> Verdict {
    if failure.code == .inUse { return .busy(failure) }
    return failure.code == .notFound && isRemoval ? .done : .failed(failure)
  }

  /// Closing a connection that ended by itself meanwhile, or taking back what another took back, is success.
  private func removesWhatMayBeGone(_ command: Command) -> Bool {
    let words = command.argv.map(\.display)
    return words.contains("unbind") || (words.contains("conn") && words.contains("delete"))
  }

  func tgtadmFailure(_ result: CommandResult) -> Failure? {
    let message = result.errors.trimmed
    let text = message.hasPrefix("tgtadm: ") ? String(message.dropFirst("tgtadm: ".count)) : message
    if result.status == 0, text.isEmpty { return nil }
    if text.hasPrefix("tgtd closed the socket") || text.hasPrefix("a partial response") {
      return Failure(.garbled, channel.path, "tgtd closed the connection without an answer: it may have died")
    }
    if text.contains("can't connect") || text.contains("failed to send request hdr") {
      return Failure(.unavailable, channel.path, "tgtd does not answer", answer: text)
    }
    return result.status == 0 ? nil : ManagementReply.failure(message: text, what: channel.path)
  }
}

private func isalnum(_ byte: UInt8) -> Bool {
  (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
}
