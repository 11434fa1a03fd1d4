import HostInterface
import Synchronization
import SystemPackage
import Testing

@Suite struct ExecutorTests {
  private let refused = Failure(.refused, "/c", "cannot make the directory")

  /// Runs the plan, which must fail.
  private func failure(_ plan: Plan, on host: FakeHost, _ executor: Executor = Executor()) async -> Failure? {
    await #expect(throws: Failure.self) { try await executor.run(plan, on: host) }
  }

  @Test func stagesAndStepsRunInOrder() async throws {
    let host = FakeHost()
    try await Executor().run(plan([[make("a"), make("b")], [make("c")]], [[make("d")]]), on: host)
    #expect(host.log == ["mkdir /a", "mkdir /b", "mkdir /c", "mkdir /d"])
    try await Executor().run(Plan(), on: host)
    #expect(host.log.count == 4)
  }

  @Test func aFailureUndoesInReverse() async {
    let host = FakeHost(failures: ["mkdir /c": [refused]])
    let failure = await failure(plan([[make("a"), make("b")]], [[make("c")]], [[make("d")]]), on: host)
    #expect(host.log == ["mkdir /a", "mkdir /b", "mkdir /c", "rmdir /b", "rmdir /a"])
    #expect(failure?.code == .refused && failure?.leftovers == [])
    #expect(failure?.description == "make c: /c: cannot make the directory")
  }

  @Test func theUndosOfOneStepRunInTheirOrder() async {
    let step = Step(
      .createDirectory(path: "/a"), undo: [.removeFile(path: "/a/x"), .removeDirectory(path: "/a")],
      reason: "make a")
    let host = FakeHost(failures: ["mkdir /c": [refused]])
    _ = await failure(plan([[step, make("c")]]), on: host)
    #expect(host.log == ["mkdir /a", "mkdir /c", "rm /a/x", "rmdir /a"])
  }

  @Test func whatCannotBeUndoneIsListed() async {
    let stuck = Failure(.refused, "/b", "cannot remove the directory", answer: "ENOTEMPTY")
    let host = FakeHost(failures: ["mkdir /c": [refused], "rmdir /b": [stuck]])
    let failure = await failure(plan([[make("x")], [make("a"), make("b"), make("c")]]), on: host)
    // What /b stands on is left, what is of another object is not.
    #expect(host.log.suffix(2) == ["rmdir /b", "rmdir /x"])
    #expect(
      failure?.leftovers == [
        "rmdir /b (cannot remove the directory: ENOTEMPTY)",
        "rmdir /a (not tried, since something of make a could not be undone)",
      ])
    #expect(failure?.subject == "make c")
  }

  @Test(arguments: [Failure.Code.timedOut, .stillRunning, .garbled, .interrupted])
  func aStepWithOpenOutcomeIsUndoneToo(_ code: Failure.Code) async {
    let host = FakeHost(failures: ["mkdir /b": [Failure(code, "/b", "who knows")]])
    #expect(await failure(plan([[make("a"), make("b")]]), on: host)?.leftovers == [])
    #expect(host.log == ["mkdir /a", "mkdir /b", "rmdir /b", "rmdir /a"])
  }

  @Test func aStepWithOpenOutcomeThatWasNotCarriedOutLeavesNothing() async {
    let host = FakeHost(failures: [
      "mkdir /b": [Failure(.timedOut, "/b", "who knows")],
      "rmdir /b": [Failure(.notFound, "/b", "is not there")],
    ])
    #expect(await failure(plan([[make("a"), make("b")]]), on: host)?.leftovers == [])
  }

  @Test func aDaemonThatIsGoneIsWaitedForOnceWhileUndoing() async {
    func request(_ text: Text) -> HostInterface.Operation {
      .exchange(
        SocketRequest(
          path: "/daemon", header: [], body: text, lengthOffset: 4, limit: .seconds(1),
          equivalent: Command(["tool", text])))
    }
    let steps = (1...3).map { Step(request("new \($0)"), undo: [request("old \($0)")], reason: "step \($0)") }
    let gone = Failure(.timedOut, "/daemon", "the daemon did not answer")
    let host = FakeHost(failures: ["exchange /daemon new 3": [gone], "exchange /daemon old 3": [gone]])
    let failure = await failure(plan([[make("a")], steps]), on: host)
    #expect(
      host.log.suffix(2) == ["exchange /daemon old 3", "rmdir /a"])
    #expect(
      failure?.leftovers == [
        "tool 'old 3' (/daemon: the daemon did not answer)",
        "tool 'old 2' (not tried, since /daemon does not answer)",
        "tool 'old 1' (not tried, since /daemon does not answer)",
      ])
  }

  @Test func aBusyObjectIsTriedAgainWithPatience() async throws {
    let busy = Failure(.inUse, "/a", "is in use")
    let host = FakeHost(failures: ["mkdir /a": [busy, busy, busy]])
    try await Executor().run(plan([[make("a", patience: .seconds(1))]]), on: host)
    #expect(host.log == Array(repeating: "mkdir /a", count: 4))
    #expect(host.slept == .milliseconds(5 + 10 + 20))
  }

  @Test func patienceEnds() async {
    let busy = Failure(.inUse, "/a", "is in use")
    let host = FakeHost(failures: ["mkdir /a": Array(repeating: busy, count: 1000)])
    let failure = await failure(plan([[make("a", patience: .seconds(1))]]), on: host)
    #expect(failure?.code == .inUse)
    #expect(host.slept >= .seconds(1) && host.slept < .milliseconds(1250))
    let impatient = FakeHost(failures: ["mkdir /a": [busy]])
    #expect(await self.failure(plan([[make("a")]]), on: impatient)?.code == .inUse)
    #expect(impatient.slept == .zero)
  }

  @Test func aCancelledTaskStopsAndStillUndoes() async {
    // What undoes must not be cancelled itself: it would not be patient.
    let host = FakeHost(
      failures: ["rmdir /a": [Failure(.inUse, "/a", "is in use")]],
      onEntry: { if $0 == "mkdir /b" { withUnsafeCurrentTask { $0?.cancel() } } })
    let run = Task {
      try await Executor().run(plan([[make("a"), make("b"), make("c")]], [[make("d")]]), on: host)
    }
    let failure = await #expect(throws: Failure.self) { try await run.value }
    #expect(failure?.code == .interrupted && failure?.subject == "make c")
    #expect(failure?.leftovers == [])
    #expect(host.log == ["mkdir /a", "mkdir /b", "rmdir /b", "rmdir /a", "rmdir /a"])
  }

  @Test func aCancelledTaskIsNotPatient() async {
    let busy = Failure(.inUse, "/b", "is in use")
    let host = FakeHost(
      failures: ["mkdir /b": Array(repeating: busy, count: 1000)],
      onEntry: { if $0 == "mkdir /b" { withUnsafeCurrentTask { $0?.cancel() } } })
    let run = Task {
      try await Executor().run(plan([[make("a"), make("b", patience: .seconds(600))]]), on: host)
    }
    let failure = await #expect(throws: Failure.self) { try await run.value }
    #expect(failure?.code == .interrupted && failure?.description == "make b: /b: is in use")
    // Not carried out for certain, so there is nothing of it to undo.
    #expect(host.log == ["mkdir /a", "mkdir /b", "rmdir /a"])
  }

  @Test func undoingIsPatient() async {
    let busy = Failure(.inUse, "/a", "is in use")
    let host = FakeHost(failures: ["mkdir /c": [refused], "rmdir /a": [busy, busy]])
    let failure = await failure(plan([[make("a"), make("c")]]), on: host)
    #expect(failure?.leftovers == [])
    #expect(host.log.suffix(3) == ["rmdir /a", "rmdir /a", "rmdir /a"])
  }

  @Test func variablesAreBoundByOneStageAndUsedByLaterOnesAndUndo() async {
    let tid = Variable("tid")
    let host = FakeHost(
      files: ["/proc/volume": "tid:7 name:t10 x\ntid:8 name:t1 y\n"], failures: ["mkdir /c": [refused]])
    let bind = Step(.bind(tid, path: "/proc/volume", containing: "name:t1", key: "tid:"), reason: "find")
    let use = Step(
      .write(path: "/x/\(tid)", contents: "add \(tid)"),
      undo: [.write(path: "/x/\(tid)", contents: "del \(tid)")],
      reason: "use")
    _ = await failure(plan([[bind]], [[use, make("c")]]), on: host)
    #expect(host.log == ["write /x/8 add 8", "mkdir /c", "write /x/8 del 8"])
  }

  @Test func aVariableThatNoStepBindsIsAnError() async {
    let host = FakeHost()
    let step = Step(.write(path: "/x", contents: "add \(Variable("tid"))"), reason: "use")
    let failure = await failure(plan([[step]]), on: host)
    #expect(failure?.code == .invalid && failure?.problem == "$tid: the plan uses it before a step binds it")
    #expect(host.log == [])
  }

  @Test func aCommandThatFailsTellsItsStandardError() async {
    let step = Step(.run(Command(["tool", "--bad", "3"])), reason: "use the tool")
    let failure = await failure(plan([[step]]), on: FakeHost())
    #expect(
      failure?.description
        == "use the tool: tool --bad 3: failed with status 3: refused: tool --bad 3")
  }

  @Test func aFailureDoesNotTellSecrets() async {
    let secret = Secret("0123456789ab".utf8)
    let step = Step(.run(Command(["tool", "password=\(secret)", "3"])), reason: "set the password")
    let failure = await failure(plan([[step]]), on: FakeHost())
    #expect(failure?.answer == "refused: tool password=**** 3")
    #expect(failure?.description.contains("0123456789ab") == false)
  }

  @Test func theJudgeDecides() async throws {
    let host = FakeHost()
    let lenient = Executor(judge: { _, _ in .done })
    try await lenient.run(plan([[Step(.run(Command(["tool", "3"])), reason: "use")]]), on: host)
    let strict = Executor(judge: { _, _ in .failed(Failure(.notTaken, "lun 1", "was not taken")) })
    let failure = await failure(
      plan([[Step(.run(Command(["tool"])), reason: "add lun 1 of t")]]), on: host, strict)
    #expect(failure?.description == "add lun 1 of t: was not taken")
  }
}
