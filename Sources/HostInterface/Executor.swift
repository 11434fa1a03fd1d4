import Synchronization

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
  /// How many chains run at once, where their stage does not say it.
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
  /// undone in reverse. A step that ended without telling whether it was carried out is undone as well. What could
  /// not be undone is listed in ``Failure/leftovers``.
  ///
  /// - Throws: ``Failure`` of the first step that failed.
  public func run(_ plan: Plan, on host: any Host) async throws {
    let course = Course(total: plan.steps.count)
    var state = Progress()
    for stage in plan.stages {
      guard var failure = await run(stage, from: &state, course: course, on: host) else { continue }
      // Undoing must go on although the task is cancelled: a fresh task does not inherit that.
      let (done, variables) = (state.done, state.variables)
      failure.leftovers += await Task.detached { await undo(done, variables: variables, on: host) }.value
      throw failure
    }
  }

  private struct Progress: Sendable {
    var done: [Done] = []
    var variables: [Variable: String] = [:]
  }

  private struct Done: Sendable {
    var subject: String
    var step: Step
    /// Whether the host said that it carried the step out.
    var isCertain: Bool
  }

  /// What the chains of a run share.
  private final class Course: Sendable {
    let total: Int
    private let started = Atomic(0)
    private let failed = Atomic(false)

    init(total: Int) { self.total = total }

    /// The number of the step that starts now, from 1.
    func next() -> Int { started.add(1, ordering: .relaxed).newValue }
    /// Lets no chain start another step.
    func fail() { failed.store(true, ordering: .relaxed) }
    var hasFailed: Bool { failed.load(ordering: .relaxed) }
  }

  /// The chains of a stage that nobody runs yet.
  private final class Waiting: Sendable {
    private let chains: Mutex<ArraySlice<Chain>>

    init(_ chains: [Chain]) { self.chains = Mutex(chains[...]) }

    func next() -> Chain? { chains.withLock { $0.popFirst() } }
  }

  private func run(_ stage: Stage, from state: inout Progress, course: Course, on host: any Host) async
    -> Failure?
  {
    // Chains on threads of their own: a write into configfs blocks its thread, which must not be one that Swift's
    // own pool needs.
    let width = min(stage.width ?? concurrency, stage.chains.count)
    if width > 1, let threads = BlockingThreads.start(width) {
      defer { threads.end() }
      return await runSideBySide(stage, width, on: threads, from: &state, course: course, host: host)
    }
    for chain in stage.chains {
      if let failure = await run(chain, progress: &state, course: course, on: host) { return failure }
    }
    return nil
  }

  private func runSideBySide(
    _ stage: Stage, _ width: Int, on threads: BlockingThreads, from state: inout Progress, course: Course,
    host: any Host
  ) async -> Failure? {
    let variables = state.variables
    let waiting = Waiting(stage.chains)
    var first: Failure?
    await withTaskGroup(of: (Progress, Failure?).self) { group in
      // A task for each thread and not for each chain: to wake a thread costs as much as half of a chain.
      for _ in 0..<width {
        group.addTask(executorPreference: threads) {
          var progress = Progress(variables: variables)
          while let chain = waiting.next() {
            if let failure = await run(chain, progress: &progress, course: course, on: host) {
              return (progress, failure)
            }
          }
          return (progress, nil)
        }
      }
      for await (progress, failure) in group {
        state.done += progress.done
        state.variables.merge(progress.variables) { $1 }
        if first == nil { first = failure }
      }
    }
    return first
  }

  private func run(_ chain: Chain, progress: inout Progress, course: Course, on host: any Host) async
    -> Failure?
  {
    for step in chain.steps {
      // What another chain failed of is told by that chain.
      if course.hasFailed { return nil }
      if Task.isCancelled { return Failure(.interrupted, step.reason, "interrupted before this step") }
      observe(.starting(step, number: course.next(), of: course.total))
      switch await attempt(step, variables: progress.variables, on: host) {
      case .success(let answer):
        if case .bound(let variable, let value) = answer { progress.variables[variable] = value }
        progress.done.append(Done(subject: chain.subject, step: step, isCertain: true))
      case .failure(let stop):
        course.fail()
        if stop.leavesOutcomeOpen {
          progress.done.append(Done(subject: chain.subject, step: step, isCertain: false))
        }
        return stop.failure
      }
    }
    return nil
  }

  private struct Stop: Error {
    var failure: Failure
    /// Whether the operation may have been carried out although it failed.
    var leavesOutcomeOpen: Bool

    init(_ failure: Failure, of step: Step) {
      leavesOutcomeOpen = failure.code.leavesOutcomeOpen
      self.failure = step.failure(failure)
    }
  }

  private func attempt(_ step: Step, variables: [Variable: String], on host: any Host) async
    -> Result<Answer, Stop>
  {
    var left = step.patience ?? .zero
    var interval = Duration.milliseconds(5)
    while true {
      let answer = await answer(to: step.operation, variables: variables, on: host)
      switch judge(step.operation, answer) {
      case .done: return .success((try? answer.get()) ?? .none)
      case .failed(let failure): return .failure(Stop(failure, of: step))
      case .busy(let failure):
        if left > .zero, !Task.isCancelled {
          try? await host.sleep(interval)
          left -= interval
          interval = min(interval * 2, .milliseconds(250))
          continue
        }
        var stop = Stop(failure, of: step)
        if left > .zero { stop.failure.code = .interrupted }
        return .failure(stop)
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
  private func undo(_ done: [Done], variables: [Variable: String], on host: any Host) async -> [String] {
    var left: [String] = []
    // A daemon or program that hangs is waited for once, not for every step.
    var dead: Set<String> = []
    var stuck: Set<String> = []
    for done in done.reversed() {
      for operation in done.step.undo {
        if let peer = operation.peer, dead.contains(peer) {
          left.append("\(operation.display) (not tried, since \(peer) does not answer)")
          stuck.insert(done.subject)
          continue
        }
        if stuck.contains(done.subject) {
          left.append(
            "\(operation.display) (not tried, since something of \(done.subject) could not be undone)")
          continue
        }
        observe(.undoing(operation))
        // The reason is the operation itself, which is what a reader of the leftovers needs.
        let undo = Step(operation, reason: operation.display, patience: .seconds(5))
        guard case .failure(let stop) = await attempt(undo, variables: variables, on: host) else { continue }
        let failure = stop.failure
        // The step was not carried out: there is nothing to remove, or nothing is missing, so that what would follow
        // meets an object that is whole.
        if !done.isCertain, [.notFound, .exists].contains(failure.code) { break }
        if failure.code.meansNoAnswer, let peer = operation.peer { dead.insert(peer) }
        stuck.insert(done.subject)
        left.append("\(failure.subject) (\(failure.problem)\(failure.answer.map { ": " + $0 } ?? ""))")
      }
    }
    return left
  }
}

extension Step {
  /// The failure of this step: about the step's object, with what it was about itself in the problem, and without
  /// the step's secrets.
  fileprivate func failure(_ failure: Failure) -> Failure {
    var failure = failure
    if !failure.subject.isEmpty, !reason.contains(failure.subject) {
      failure.problem = "\(failure.subject): \(failure.problem)"
    }
    failure.subject = reason
    return operation.masking(failure)
  }
}

extension Operation {
  /// Who answers the operation, where that is not the kernel.
  fileprivate var peer: String? {
    switch self {
    case .exchange(let request): request.path
    case .run(let command): command.argv.first?.display
    default: nil
    }
  }
}

extension Failure.Code {
  /// Whether an operation that failed so may have been carried out nevertheless.
  public var leavesOutcomeOpen: Bool { [.timedOut, .stillRunning, .garbled, .interrupted].contains(self) }
  fileprivate var meansNoAnswer: Bool { [.timedOut, .stillRunning, .unavailable].contains(self) }
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
