import SystemPackage

extension Host {
  /// The most that sysfs takes of one write(2): a page of the smallest size (Documentation/filesystems/sysfs.rst).
  private static var commandLimit: Int { 4096 }

  /// Gives the kernel a command, and finds out what became of it.
  ///
  /// - Throws: ``Failure`` with code `stillRunning` when a limit is over and the kernel is still at it, `notTaken`
  ///   when it reports success and nothing shows of it, or with the error number that it answered.
  func manage(_ command: ManagementWrite, variables: [Variable: String]) async throws {
    let path = FilePath(try command.path.string(variables))
    let bytes = try command.contents.bytes(variables)
    guard (1...Self.commandLimit).contains(bytes.count) else {
      throw Failure(
        .invalid, "\(path)", "takes commands of 1 to \(Self.commandLimit) bytes, not of \(bytes.count)")
    }
    if let condition = command.unless, try holds(condition, variables: variables) { return }
    do {
      try await write(bytes, to: path, limit: command.limit)
    } catch let failure as Failure {
      switch failure.errno {
      // The kernel goes on with what was interrupted, too.
      case Errno.resourceTemporarilyUnavailable, Errno.interrupted:
        try await awaitOutcome(of: command, at: path, variables: variables)
      case _? where try isGone(command.proof, variables): return
      default: throw failure
      }
    }
  }

  /// Removing what is gone is done, whatever the kernel says to it.
  private func isGone(_ proof: Condition?, _ variables: [Variable: String]) throws -> Bool {
    guard case .absent? = proof, let proof else { return false }
    return try holds(proof, variables: variables)
  }

  private func awaitOutcome(of command: ManagementWrite, at path: FilePath, variables: [Variable: String])
    async throws
  {
    let answer = try await outcome(of: command, at: path, variables: variables)
    // The result is one for the whole kernel, and may be that of another's command; what is there is not.
    if let proof = command.proof {
      if try holds(proof, variables: variables) { return }
      guard answer == 0 else { throw Self.refusal(answer, path) }
      throw Failure(.notTaken, "\(path)", "the kernel reports success, and nothing shows of it")
    }
    guard answer == 0 else { throw Self.refusal(answer, path) }
  }

  private static func refusal(_ answer: Int32, _ path: FilePath) -> Failure {
    .system(Errno(rawValue: -answer), "\(path)", "the kernel refused the command, later than it took it")
  }

  /// What the kernel tells of a command that it went on with: 0 or a negative error number.
  private func outcome(of command: ManagementWrite, at path: FilePath, variables: [Variable: String])
    async throws -> Int32
  {
    guard let result = try command.result.map({ FilePath(try $0.string(variables)) }) else {
      throw Failure(.stillRunning, "\(path)", "the kernel goes on with the command and does not tell how far")
    }
    var left = command.limit
    var interval = Duration.milliseconds(5)
    while true {
      do {
        let text = try text(result).trimmed
        guard let number = Int32(text), number <= 0, number > Int32.min else {
          throw Failure(
            .garbled, "\(result)", "holds no result of a command but \(text.prefix(40).debugDescription)")
        }
        return number
      } catch let failure as Failure where failure.errno == .resourceTemporarilyUnavailable {
        guard left > .zero else {
          throw Failure(
            .stillRunning, "\(path)", "the kernel is still at work on the command after \(command.limit)",
            remedy: "see whether a device that it waits for answers, then look at the state again")
        }
        try await sleep(interval)
        left -= interval
        interval = min(interval * 2, .milliseconds(250))
      }
    }
  }
}
