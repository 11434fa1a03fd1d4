/// How a backend reads the host's answer to one of its operations.
public enum Verdict: Sendable {
  /// The operation did what it should.
  case done
  /// The object is in use; a step with patience is tried again.
  case busy(Failure)
  /// The operation failed.
  case failed(Failure)
}

/// Reads an answer; the backend that planned the operation knows what the implementation means by it.
public typealias Judge = @Sendable (Operation, Result<Answer, Failure>) -> Verdict

/// What the executor tells while it runs.
public enum ExecutionEvent: Sendable {
  /// A step is about to run; `number` counts from 1.
  case starting(Step, number: Int, of: Int)
  /// A step failed, and what was done is being undone.
  case undoing(Operation)
}

/// Runs plans: stage after stage, chains side by side, undoing everything in reverse when a step fails.
public struct Executor: Sendable {
  /// How many chains run at once.
  public var concurrency: Int
  /// Reads the host's answers.
  public var judge: Judge
  /// Called before each step, from any thread.
  public var observe: @Sendable (ExecutionEvent) -> Void

  /// An executor for one backend.
  public init(
    concurrency: Int = 1, judge: @escaping Judge = Executor.plainJudge,
    observe: @escaping @Sendable (ExecutionEvent) -> Void = { _ in }
  ) {
    self.concurrency = max(1, concurrency)
    self.judge = judge
    self.observe = observe
  }

  /// The judge for operations that mean what they say: a failure is one, and so is an exit status that is not 0.
  public static let plainJudge: Judge = { operation, answer in
    switch answer {
    case .failure(let failure): return failure.code == .inUse ? .busy(failure) : .failed(failure)
    case .success(.command(let result)) where result.status != 0:
      let text = result.errors.isEmpty ? "exit status \(result.status)" : result.errors
      return .failed(
        Failure(.refused, operation.display, "failed with status \(result.status)", answer: text.trimmed))
    case .success: return .done
    }
  }

  /// Runs a plan to its end, or to its beginning.
  ///
  /// A step that fails, or a cancelled task, ends the run after the steps under way; then everything done is
  /// undone in reverse. What could not be undone is listed in ``Failure/leftovers``.
  ///
  /// - Throws: ``Failure`` of the first step that failed.
  public func run(_ plan: Plan, on host: any Host) async throws {
    let total = plan.stages.reduce(0) { $0 + $1.chains.reduce(0) { $0 + $1.steps.count } }
    var state = Progress()
    for stage in plan.stages {
      let failure = await run(stage, from: &state, of: total, on: host)
      if var failure {
        // Undoing must go on although the task is cancelled: a fresh task does not inherit that.
        let done = state.done
        let variables = state.variables
        let left = await Task.detached { await undo(done, variables: variables, on: host) }.value
        failure.leftovers += left
        throw failure
      }
    }
  }

  private struct Progress: Sendable {
    var done: [(subject: String, step: Step)] = []
    var variables: [Variable: String] = [:]
    var started = 0
  }

  private func run(_ stage: Stage, from state: inout Progress, of total: Int, on host: any Host) async
    -> Failure?
  {
    if concurrency == 1 || stage.chains.count < 2 {
      for chain in stage.chains {
        if let failure = await run(chain, progress: &state, of: total, on: host) { return failure }
      }
      return nil
    }
    return await runSideBySide(stage, from: &state, of: total, on: host)
  }

  /// Chains on threads of their own: a write into configfs blocks its thread, which must not be one that Swift's
  /// own pool needs.
  private func runSideBySide(_ stage: Stage, from state: inout Progress, of total: Int, on host: any Host)
    async -> Failure?
  {
    let threads = BlockingThreads(count: min(concurrency, stage.chains.count))
    defer { threads.end() }
    let begin = state
    var next = 0
    var first: Failure?
    await withTaskGroup(of: (Progress, Failure?).self) { group in
      func start() {
        guard next < stage.chains.count, first == nil else { return }
        let chain = stage.chains[next]
        next += 1
        let before = Progress(done: [], variables: begin.variables, started: begin.started)
        group.addTask(executorPreference: threads) {
          var progress = before
          let failure = await run(chain, progress: &progress, of: total, on: host)
          return (progress, failure)
        }
      }
      for _ in 0..<concurrency { start() }
      for await (progress, failure) in group {
        state.done += progress.done
        state.started += progress.done.count
        state.variables.merge(progress.variables) { $1 }
        if first == nil { first = failure }
        start()
      }
    }
    return first
  }

  private func run(_ chain: Chain, progress: inout Progress, of total: Int, on host: any Host) async
    -> Failure?
  {
    for step in chain.steps {
      if Task.isCancelled { return Failure(.interrupted, step.reason, "interrupted before this step") }
      progress.started += 1
      observe(.starting(step, number: progress.started, of: total))
      switch await attempt(step, variables: progress.variables, on: host) {
      case .success(let answer):
        if case .bound(let variable, let value) = answer { progress.variables[variable] = value }
        progress.done.append((chain.subject, step))
      case .failure(let failure): return failure
      }
    }
    return nil
  }

  private func attempt(_ step: Step, variables: [Variable: String], on host: any Host) async
    -> Result<Answer, Failure>
  {
    var left = step.patience ?? .zero
    var interval = Duration.milliseconds(5)
    while true {
      let answer = await answer(to: step.operation, variables: variables, on: host)
      switch judge(step.operation, answer) {
      case .done: return .success((try? answer.get()) ?? .none)
      case .failed(var failure):
        failure.subject = step.reason
        return .failure(failure)
      case .busy(var failure):
        guard left > .zero, !Task.isCancelled else {
          failure.subject = step.reason
          return .failure(failure)
        }
        try? await host.sleep(interval)
        left -= interval
        interval = min(interval * 2, .milliseconds(250))
      }
    }
  }

  private func answer(to operation: Operation, variables: [Variable: String], on host: any Host) async
    -> Result<Answer, Failure>
  {
    do {
      return .success(try await host.perform(operation, variables: variables))
    } catch let failure as Failure {
      return .failure(failure)
    } catch {
      return .failure(Failure(.interrupted, operation.display, "interrupted", answer: "\(error)"))
    }
  }

  /// Undoes steps in reverse; returns what could not be undone.
  ///
  /// Once something of an object cannot be undone, the rest of that object stays as it is: opening its access
  /// again, say, although its account could not be brought back, would let in who was locked out.
  private func undo(
    _ steps: [(subject: String, step: Step)], variables: [Variable: String], on host: any Host
  ) async -> [String] {
    var left: [String] = []
    var stuck: Set<String> = []
    for (subject, step) in steps.reversed() {
      for operation in step.undo {
        if stuck.contains(subject) {
          left.append(operation.display)
          continue
        }
        observe(.undoing(operation))
        let undo = Step(operation, reason: "undo: " + step.reason, patience: .seconds(5))
        if case .failure(let failure) = await attempt(undo, variables: variables, on: host) {
          left.append("\(operation.display) (\(failure.problem)\(failure.answer.map { ": " + $0 } ?? ""))")
          stuck.insert(subject)
        }
      }
    }
    return left
  }
}

extension StringProtocol {
  /// The text without blanks and newlines at its ends.
  public var trimmed: String {
    var text = Substring(self)
    while let first = text.first, first.isWhitespace { text.removeFirst() }
    while let last = text.last, last.isWhitespace { text.removeLast() }
    return String(text)
  }
}
