import HostInterface
internal import Subprocess
import SystemPackage

/// One run of a program, with its limits.
struct RunningCommand: Sendable {
  static let outputLimit = 16 << 20
  static let errorLimit = 64 << 10
  /// What a command gets between SIGTERM and SIGKILL.
  private static let courtesy = Duration.seconds(1)
  /// How long after SIGTERM a command counts as one that cannot be killed.
  private static let patience = Duration.seconds(4)

  let path: FilePath
  let argv: [String]
  let environment: [String: String]
  let input: [UInt8]

  private var name: String { argv.first ?? "\(path)" }

  private enum Ending: Sendable {
    case ended(Result<CommandResult, Failure>)
    case unkillable
  }

  /// Runs the command to its end or to its limit, whichever is first.
  func run(limit: Duration) async throws -> CommandResult {
    guard !Task.isCancelled else {
      throw Failure(.interrupted, name, "was not started: the run was interrupted")
    }
    let first = FirstValue<Ending>()
    let work = Task { first.settle(.ended(await result())) }
    // Not in a task group: that would wait for a child that the kernel does not let die.
    let timer = Task {
      guard (try? await Task.sleep(for: limit)) != nil else { return false }
      work.cancel()
      if (try? await Task.sleep(for: Self.patience)) != nil { first.settle(.unkillable) }
      return true
    }
    let ending = await withTaskCancellationHandler {
      await first.value()
    } onCancel: {
      work.cancel()
    }
    timer.cancel()
    let expired = await timer.value
    switch ending {
    case .ended(.success(let result)): return result
    case .ended(.failure(let failure)) where failure.code != .interrupted || !expired: throw failure
    case .ended:
      throw Failure(.timedOut, name, "was killed, because it ran longer than \(limit)")
    case .unkillable:
      throw Failure(
        .stillRunning, name, "ran longer than \(limit) and cannot be killed",
        remedy: "look with ps for a process in state D, and at what it waits for in the kernel's log")
    }
  }

  private func result() async -> Result<CommandResult, Failure> {
    do {
      let result = try await spawn()
      guard !Task.isCancelled else {
        throw Failure(.interrupted, name, "was killed, because the run was interrupted")
      }
      return .success(result)
    } catch let failure as Failure {
      return .failure(failure)
    } catch {
      if Task.isCancelled {
        return .failure(Failure(.interrupted, name, "was killed, because the run was interrupted"))
      }
      let number = (error as? SubprocessError)?.underlyingError
      if let number { return .failure(.system(number, "\(path)", "cannot run")) }
      return .failure(Failure(.refused, "\(path)", "cannot run", answer: "\(error)"))
    }
  }

  private func spawn() async throws -> CommandResult {
    let standardInput = try CommandInput.open(input)
    defer { try? standardInput.close() }
    var options = PlatformOptions()
    // A session has no terminal to prompt on, and its process group can be killed as a whole.
    options.createSession = true
    options.teardownSequence = [
      .gracefulShutDown(toProcessGroup: true, allowedDurationToNextStep: Self.courtesy)
    ]
    var additions: [Environment.Key: String?] = [:]
    for (name, value) in environment {
      if let key = Environment.Key(rawValue: name) { additions[key] = value }
    }
    let teardown = options.teardownSequence
    let ended = try await Subprocess.run(
      .path(path),
      arguments: Arguments(executablePathOverride: argv.first, remainingValues: Array(argv.dropFirst())),
      environment: .inherit.updating(additions), platformOptions: options,
      input: .fileDescriptor(standardInput, closeAfterSpawningProcess: false), output: .sequence,
      error: .sequence
    ) { execution in
      async let errors = Self.head(of: execution.standardError, upTo: Self.errorLimit)
      let output = try await whole(execution.standardOutput)
      let texts = (output, try await errors)
      if Task.isCancelled {
        // The command is dead after this, but not yet reaped, so that its group's number cannot be another's.
        await execution.teardown(using: teardown)
        try? execution.send(signal: .kill, toProcessGroup: true)
      }
      return texts
    }
    let status: Int32
    switch ended.terminationStatus {
    case .exited(let code): status = code
    case .signaled(let signal): status = 128 + signal
    }
    let (output, errors) = ended.closureResult
    return CommandResult(status: status, output: output, errors: String(decoding: errors, as: UTF8.self))
  }

  private func whole(_ stream: SubprocessOutputSequence) async throws -> [UInt8] {
    var bytes: [UInt8] = []
    for try await chunk in stream {
      guard bytes.count + chunk.count <= Self.outputLimit else {
        throw Failure(.garbled, name, "was killed, because it printed more than \(Self.outputLimit) bytes")
      }
      chunk.withUnsafeBytes { bytes += $0 }
      if Task.isCancelled { break }
    }
    return bytes
  }

  /// The first bytes; the others are read as well, so that the writer is not blocked.
  private static func head(of stream: SubprocessOutputSequence, upTo limit: Int) async throws -> [UInt8] {
    var bytes: [UInt8] = []
    for try await chunk in stream {
      chunk.withUnsafeBytes { bytes += $0.prefix(limit - bytes.count) }
      if Task.isCancelled { break }
    }
    return bytes
  }
}
