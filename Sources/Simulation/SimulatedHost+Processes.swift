import HostInterface
import SystemPackage

extension SimulatedHost {
  private static let programDirectories = ["/usr/local/sbin/", "/usr/sbin/", "/sbin/", "/usr/bin/", "/bin/"]

  /// Where a program is; a name with a slash is a path.
  public func executable(_ name: String) -> FilePath? {
    guard !name.isEmpty, !name.utf8.contains(0) else { return nil }
    let places = name.contains("/") ? [name] : Self.programDirectories.map { $0 + name }
    return places.lazy.map { FilePath($0) }.first { (try? status($0))?.kind == .file }
  }

  /// Runs a program of a model, or one installed by ``install(program:behaviour:)``.
  ///
  /// - Throws: ``Failure/Code/unavailable`` when there is no such program, ``Failure/Code/timedOut`` when it hangs.
  public func run(_ argv: [String], environment: [String: String], input: [UInt8], limit: Duration)
    async throws
    -> CommandResult
  {
    guard let program = argv.first, !program.isEmpty else {
      throw Failure(.invalid, "a command", "has no program")
    }
    guard !argv.contains(where: { $0.utf8.contains(0) }) else {
      throw Failure(.invalid, program, "an argument has a zero byte in it")
    }
    guard executable(program) != nil else {
      throw Failure(
        .unavailable, program, "there is no such program in PATH and the sbin directories",
        remedy: "install the package that has it")
    }
    switch outcome(of: SimulatedInvocation(argv: argv, environment: environment, input: input)) {
    case .ended(let result): return result
    case .hangs:
      advance(by: limit)
      throw Failure(.timedOut, program, "did not end within \(limit) and was killed")
    }
  }

  private func outcome(of invocation: SimulatedInvocation) -> SimulatedOutcome {
    for service in services where service.programs.contains(invocation.program) {
      if let outcome = service.run(invocation, on: self) { return outcome }
    }
    if let behaviour = machine.withLock({ $0.behaviours[invocation.program] }) {
      return behaviour(invocation)
    }
    return .ended(CommandResult(status: 126, errors: "the simulated machine has no model of this command\n"))
  }

  /// What comes back on a Unix socket for a request; for models that speak to others.
  ///
  /// - Throws: ECONNREFUSED or ENOENT when nothing listens there.
  public func converse(with path: FilePath, _ request: [UInt8]) throws(Errno) -> SimulatedReply {
    let service = try machine.withLock { machine throws(Errno) -> any SimulatedService in
      guard let service = machine.listeners[try machine.tree.find(path)] else { throw .connectionRefused }
      return service
    }
    return service.exchange(request, at: path, on: self)
  }

  /// Sends a request to a model's socket and cuts its reply to the length that stands in it.
  ///
  /// - Throws: ``Failure/Code/unavailable`` when nothing listens there, ``Failure/Code/timedOut`` when the model is
  ///   silent, ``Failure/Code/garbled`` when it closes early or the reply's length is out of bounds.
  public func exchange(_ bytes: [UInt8], with path: FilePath, lengthOffset: Int, limit: Duration) async throws
    -> [UInt8]
  {
    guard (0...4096).contains(lengthOffset) else {
      throw Failure(
        .invalid, "\(path)", "the reply's length cannot stand at byte \(lengthOffset), only at 0 to 4096")
    }
    let reply: SimulatedReply
    do throws(Errno) {
      reply = try converse(with: path, bytes)
    } catch {
      var failure = Failure.system(error, "\(path)", "no daemon listens there", remedy: "start the daemon")
      if error == .noSuchFileOrDirectory { failure.code = .unavailable }
      throw failure
    }
    switch reply {
    case .bytes(let stream): return try framed(stream, from: path, lengthOffset: lengthOffset)
    case .silence:
      advance(by: limit)
      throw Failure(
        .timedOut, "\(path)", "the daemon did not answer within \(limit)", remedy: "see whether it hangs")
    }
  }

  private func framed(_ stream: [UInt8], from path: FilePath, lengthOffset: Int) throws -> [UInt8] {
    let remedy = "see whether it still runs, and its log"
    guard !stream.isEmpty else {
      throw Failure(
        .garbled, "\(path)", "the daemon closed the connection without an answer: it may have died",
        remedy: remedy)
    }
    let most = 64 << 20
    guard stream.count >= lengthOffset + 4 else {
      throw Failure(
        .garbled, "\(path)", "the daemon closed the connection after \(stream.count) bytes of its answer",
        remedy: remedy)
    }
    let length = Int(
      stream.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: lengthOffset, as: UInt32.self) })
    guard (lengthOffset + 4...most).contains(length) else {
      throw Failure(
        .garbled, "\(path)",
        "the answer says that it is \(length) bytes long, and \(lengthOffset + 4) to \(most) can be")
    }
    guard stream.count >= length else {
      throw Failure(
        .garbled, "\(path)",
        "the daemon closed the connection after \(stream.count) of \(length) bytes of its answer",
        remedy: remedy)
    }
    return Array(stream.prefix(length))
  }
}
