import Glibc
import HostInterface
import LinuxHost
import SystemPackage
import Testing

@Suite(.timeLimit(.minutes(2))) struct CommandsTests {
  let host = LocalHost()
  let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func run(
    _ argv: String..., environment: [String: String] = [:], input: [UInt8] = [],
    limit: Duration = .seconds(30)
  ) async throws -> CommandResult {
    try await host.run(argv, environment: environment, input: input, limit: limit)
  }

  @Test func argumentsPassAsTheyAre() async throws {
    let words = ["", "a b", "$HOME", "'", "\"", "*", "ä\n"]
    let result = try await host.run(
      ["printf", "<%s>"] + words, environment: [:], input: [], limit: .seconds(30))
    #expect(String(decoding: result.output, as: UTF8.self) == words.map { "<\($0)>" }.joined())
    #expect(result.status == 0 && result.errors.isEmpty)
  }

  @Test func statusAndStandardErrorAreTold() async throws {
    let result = try await run("sh", "-c", "echo out; echo err >&2; exit 3")
    #expect(result == CommandResult(status: 3, output: Array("out\n".utf8), errors: "err\n"))
    #expect(try await run("sh", "-c", "kill -9 $$").status == 128 + 9)
  }

  @Test func theEnvironmentIsAddedTo() async throws {
    let result = try await run("sh", "-c", "echo $ADDED $0; test -n \"$PATH\"", environment: ["ADDED": "x y"])
    #expect(String(decoding: result.output, as: UTF8.self) == "x y sh\n")
    #expect(result.status == 0)
    await #expect(throws: Failure.self) { try await run("true", environment: ["A=B": "C"]) }
  }

  @Test(arguments: [1, 65_536, 3_000_000])
  func inputArrivesWhole(_ count: Int) async throws {
    let input = [UInt8]((0..<count).map { UInt8(truncatingIfNeeded: $0) })
    #expect(try await run("cat", input: input).output == input)
  }

  @Test func inputThatNobodyReadsIsNoError() async throws {
    #expect(try await run("true", input: [UInt8](repeating: 1, count: 3_000_000)).status == 0)
    #expect(try await run("cat").output.isEmpty)
  }

  @Test func aProgramThatIsNotThereIsUnavailable() async throws {
    for name in ["quartet-no-such-program", "/nowhere/program", "/tmp", "no\0thing"] {
      let failure = await #expect(throws: Failure.self) { try await run(name) }
      #expect(failure?.code == .unavailable || name.contains("\0"))
    }
    #expect(host.executable("quartet-no-such-program") == nil)
    #expect(host.executable("") == nil)
    await #expect(throws: Failure.self) {
      try await host.run([], environment: [:], input: [], limit: .seconds(1))
    }
  }

  @Test func aFileThatIsNoProgramCannotRun() async throws {
    let file = try scratch.file("noise", "\u{1}\u{2}")
    #expect(host.executable(file.string) == nil)
    #expect(chmod(file.string, 0o700) == 0)
    let failure = await #expect(throws: Failure.self) { try await run(file.string) }
    #expect(failure?.errno == Errno(rawValue: ENOEXEC))
  }

  @Test func superuserProgramsAreFoundWithoutPath() throws {
    // Of the usual sbin directories only; PATH of a plain user has none of them.
    let found = try #require(host.executable("ldconfig"))
    #expect(found.string.hasSuffix("sbin/ldconfig"))
  }

  @Test func theLimitKillsTheCommandAndWhatItStarted() async throws {
    let pids = scratch.path.appending("pids")
    let script = "trap '' TERM; sleep 1000 & echo $$ $! > \(pids); wait; wait; sleep 1000"
    let failure = await #expect(throws: Failure.self) {
      try await run("sh", "-c", script, limit: .seconds(1))
    }
    #expect(failure?.code == .timedOut)
    #expect(failure?.subject == "sh")
    for pid in try host.text(pids).split(whereSeparator: \.isWhitespace).compactMap({ Int32($0) }) {
      #expect(try await ends(pid))
    }
  }

  @Test func aChildThatIgnoresTheEndOfItsParentIsKilledToo() async throws {
    let pids = scratch.path.appending("pids")
    let script = "(trap '' TERM; while :; do sleep 1000; done) & echo $! > \(pids); wait"
    let failure = await #expect(throws: Failure.self) {
      try await run("sh", "-c", script, limit: .seconds(1))
    }
    #expect(failure?.code == .timedOut)
    let pid = try #require(Int32(try host.text(pids).trimmed))
    #expect(try await ends(pid))
  }

  @Test func aChildLeftBehindIsNotWaitedFor() async throws {
    let pids = scratch.path.appending("pids")
    let result = try await run("sh", "-c", "sleep 1000 & echo $! > \(pids); echo done", limit: .seconds(60))
    #expect(String(decoding: result.output, as: UTF8.self) == "done\n")
    let pid = try #require(Int32(try host.text(pids).trimmed))
    #expect(isRunning(pid))
    kill(pid, SIGKILL)
  }

  @Test func cancellingTheTaskKillsTheCommand() async throws {
    let pids = scratch.path.appending("pids")
    let host = host
    let task = Task {
      try await host.run(
        ["sh", "-c", "echo $$ > \(pids); exec sleep 1000"], environment: [:], input: [], limit: .seconds(600))
    }
    try await host.waitForPath(pids, exists: true, limit: .seconds(30))
    while try host.text(pids).isEmpty { try await host.sleep(.milliseconds(5)) }
    task.cancel()
    let failure = await #expect(throws: Failure.self) { try await task.value }
    #expect(failure?.code == .interrupted)
    let pid = try #require(Int32(try host.text(pids).trimmed))
    #expect(try await ends(pid))
    let late = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      return try await host.run(["touch", "\(pids).late"], environment: [:], input: [], limit: .seconds(10))
    }
    #expect(await #expect(throws: Failure.self) { try await late.value }?.code == .interrupted)
    #expect(try host.status(FilePath("\(pids).late")) == nil)
  }

  @Test func outputWithoutEndIsAnError() async throws {
    let failure = await #expect(throws: Failure.self) {
      try await run("cat", "/dev/zero", limit: .seconds(60))
    }
    #expect(failure?.code == .garbled)
    let most = try await run("head", "-c", "16777216", "/dev/zero")
    #expect(most.output.count == 16 << 20)
  }

  @Test func standardErrorIsCutOff() async throws {
    let result = try await run("sh", "-c", "head -c 1000000 /dev/zero | tr '\\0' e >&2; echo done")
    #expect(result.errors.utf8.count == 64 << 10)
    #expect(String(decoding: result.output, as: UTF8.self) == "done\n")
  }

  @Test func commandsRunSideBySide() async throws {
    let host = host
    let statuses = try await withThrowingTaskGroup(of: Int32.self) { group in
      for number in 0..<20 {
        group.addTask {
          try await host.run(
            ["sh", "-c", "exit \(number)"], environment: [:], input: [7], limit: .seconds(60)
          ).status
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(statuses.sorted() == Array(0..<20))
  }

  /// Whether the process ends; one that got SIGKILL takes a moment for it.
  private func ends(_ pid: Int32) async throws -> Bool {
    for _ in 0..<1000 {
      if !isRunning(pid) { return true }
      try await host.sleep(.milliseconds(10))
    }
    return false
  }

  /// Whether the process is there and no zombie (field 3 of /proc/PID/stat, proc(5)).
  private func isRunning(_ pid: Int32) -> Bool {
    guard let text = try? host.text(FilePath("/proc/\(pid)/stat")), let end = text.lastIndex(of: ")") else {
      return false
    }
    return !text[end...].hasPrefix(") Z")
  }
}
