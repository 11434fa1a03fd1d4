import HostInterface
import Synchronization
import SystemPackage
import Testing

@Suite(.timeLimit(.minutes(2))) struct SideBySideTests {
  /// A chain of `length` writes below /gate, each of which waits until as many are under way as the host says.
  private func chain(_ name: Int, length: Int = 1) -> [Step] {
    (0..<length).map { step in
      let path: Text = "/gate/\(name).\(step)"
      return Step(
        .write(path: path, contents: "x"), undo: [.removeFile(path: path)], reason: "write \(name).\(step)")
    }
  }

  @Test func chainsOverlapAndAreBounded() async throws {
    let host = FakeHost(gate: 3)
    try await Executor(concurrency: 3).run(plan((0..<12).map { chain($0) }), on: host)
    #expect(host.log.count == 12)
    #expect(host.mostInside == 3)
  }

  @Test func chainsThatDoNotBlockTheirThreadAreBoundedToo() async throws {
    let host = FakeHost()
    let waits = (0..<12).map {
      [Step(.wait(for: .exists(path: "/gate/\($0)"), limit: .seconds(1)), reason: "wait")]
    }
    try await Executor(concurrency: 3).run(plan(waits), on: host)
    #expect(host.mostInside <= 3)
  }

  @Test func oneAtATimeDoesNotOverlap() async throws {
    let host = FakeHost()
    try await Executor(concurrency: 1).run(plan((0..<5).map { chain($0) }), on: host)
    #expect(host.mostInside == 1)
    #expect(host.log == (0..<5).map { "write /gate/\($0).0 x" })
  }

  @Test func aStageEndsBeforeTheNextBegins() async throws {
    let host = FakeHost(gate: 2)
    try await Executor(concurrency: 4).run(plan([chain(1), chain(2)], [chain(3), chain(4)]), on: host)
    #expect(Set(host.log.prefix(2)) == ["write /gate/1.0 x", "write /gate/2.0 x"])
  }

  @Test func stepsAreNumberedOverAllChains() async throws {
    let numbers = Mutex<[Int]>([])
    let executor = Executor(
      concurrency: 3,
      observe: { event in
        if case .starting(_, let number, let total) = event {
          #expect(total == 13)
          numbers.withLock { $0.append(number) }
        }
      })
    try await executor.run(plan([[make("a")]], (0..<4).map { chain($0, length: 3) }), on: FakeHost(gate: 3))
    #expect(numbers.withLock { $0.sorted() } == Array(1...13))
    #expect(numbers.withLock { $0.first } == 1)
  }

  @Test func aFailureStopsTheOtherChainsAndUndoesThem() async {
    let failing = Step(.createDirectory(path: "/bad"), reason: "fail")
    // The long chain is in its first step until the short one has failed.
    let failed = Mutex(false)
    let host = FakeHost(
      failures: ["mkdir /bad": [Failure(.refused, "/bad", "cannot")]],
      onEntry: { entry in
        if entry == "mkdir /bad" { failed.withLock { $0 = true } }
        if entry == "mkdir /long0" { while !failed.withLock({ $0 }) {} }
      })
    let long = (0..<100).map { make("long\($0)") }
    let failure = await #expect(throws: Failure.self) {
      try await Executor(concurrency: 2).run(
        plan([long, [failing], [make("never")]], [[make("later")]]), on: host)
    }
    #expect(failure?.description == "fail: /bad: cannot")
    let made = host.log.filter { $0.hasPrefix("mkdir /long") }
    #expect(!made.isEmpty && made.count < 100)
    #expect(
      host.log.filter { $0.hasPrefix("rmdir") }
        == made.reversed().map { "rmdir" + $0.dropFirst("mkdir".count) })
    #expect(!host.log.contains("mkdir /never") && !host.log.contains("mkdir /later"))
  }

  @Test func aVariableBoundInOneChainIsKnownInTheNextStage() async throws {
    let host = FakeHost(files: ["/a": "id:1 a\n", "/b": "id:2 b\n"], gate: 1)
    let (a, b) = (Variable("a"), Variable("b"))
    func bind(_ variable: Variable) -> [Step] {
      [
        Step(
          .bind(variable, path: "/\(variable.name)", containing: "\(variable.name)", key: "id:"),
          reason: "bind")
      ]
    }
    let use = Step(.write(path: "/x", contents: "\(a)\(b)"), reason: "use")
    try await Executor(concurrency: 2).run(plan([bind(a), bind(b)], [[use]]), on: host)
    #expect(host.contents("/x") == "12")
  }

  @Test func aCancelledTaskStopsAllChains() async {
    let host = FakeHost(
      gate: 2, onEntry: { if $0 == "write /gate/1.0 x" { withUnsafeCurrentTask { $0?.cancel() } } })
    let run = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      try await Executor(concurrency: 2).run(plan([chain(1, length: 3), chain(2, length: 3)]), on: host)
    }
    #expect(await #expect(throws: Failure.self) { try await run.value }?.code == .interrupted)
    #expect(host.log == [])
  }
}
