import HostInterface
import HostRecording
import SystemPackage
import Testing

/// Lines as the recordings of real targets have them, with fields that nobody here knows.
private let foreign = #"""
  # made by hand
  {"seq": 1, "section": "start", "op": "note", "text": "a remark", "extra": {"x": [1]}}
  {"seq": 2, "section": "start", "op": "read", "path": "/proc/net/iet/volume", "result": ""}
  {"seq": 3, "section": "start", "op": "read", "path": "/proc/net/iet/gone", "errno": "ENOENT", "result": null}

  {"seq": 4, "op": "exec", "argv": ["ietadm", "--op", "new", "--tid=1"], "exit": 0, "stdout": "", "stderr": "", "ms": 900.5}
  {"seq": 5, "op": "read", "path": "/proc/net/iet/volume", "errno": null, "result": "tid:1 name:t1\n"}
  {"seq": 6, "op": "exec", "argv": ["ietadm", "--op", "new"], "exit": null, "signal": "SIGSEGV", "stdout": "", "stderr": ""}
  {"seq": 7, "op": "write", "path": "/sys/mgmt", "data": "add\n", "errno": "EEXIST", "ret": null, "tree": {"created": {}}}
  {"seq": 8, "op": "write", "path": "/sys/mgmt", "data": "add\n", "errno": "open:EACCES"}
  {"seq": 9, "op": "write", "path": "/sys/mgmt", "data": "del\n", "errno": "(still blocked)"}
  {"seq": 10, "op": "read", "path": "/sys/res", "errno": "EAGAIN", "result": null}
  {"seq": 11, "op": "read", "path": "/sys/res", "result": "1\n"}
  {"seq": 12, "op": "list", "path": "/sys/dir/", "errno": null, "result": ["b/", "a", "link@ -> ../x"]}
  {"seq": 13, "op": "shell", "command": "losetup", "rc": 0, "result": {"done": 1}}
  {"seq": 14, "op": "write", "path": "/etc/iet/ietd.conf", "data": "Target x\n"}
  {"seq": 15, "op": "unlink", "path": "/etc/iet/ietd.conf"}
  """#

@Suite struct ReplayTests {
  private func replay(from first: Int = 0) throws -> ReplayHost {
    ReplayHost(try Transcript(text: foreign), from: first)
  }

  private func run(_ host: ReplayHost, _ argv: String...) async throws -> CommandResult {
    try await host.run(argv, environment: ["LC_ALL": "C"], input: [], limit: .seconds(1))
  }

  @Test func recordingsOfOthersAreReplayed() async throws {
    let host = try replay()
    #expect(try host.text("/proc/net/iet/volume") == "")
    #expect(#expect(throws: Failure.self) { try host.read("/proc/net/iet/gone") }?.code == .notFound)
    #expect(try host.status("/proc/net/iet/gone") == nil)
    #expect(try host.status("/proc/net/iet/volume")?.kind == .file)
    #expect(host.executable("ietadm") == "/usr/sbin/ietadm" && host.executable("tgtadm") == nil)
    #expect(try await run(host, "ietadm", "--op", "new", "--tid=1").status == 0)
    #expect(try host.text("/proc/net/iet/volume") == "tid:1 name:t1\n")
    #expect(try host.text("/proc/net/iet/volume") == "tid:1 name:t1\n")
    #expect(try await run(host, "ietadm", "--op", "new").status == 128 + 11)
    let exists = #expect(throws: Failure.self) { try host.write(Array("add\n".utf8), to: "/sys/mgmt") }
    #expect(exists?.code == .exists && exists?.errno == .fileExists && exists?.subject == "/sys/mgmt")
    #expect(
      #expect(throws: Failure.self) { try host.write(Array("add\n".utf8), to: "/sys/mgmt") }?.code
        == .permission)
    #expect(
      #expect(throws: Failure.self) { try host.write(Array("del\n".utf8), to: "/sys/mgmt") }?.code
        == .stillRunning)
    #expect(
      #expect(throws: Failure.self) { try host.read("/sys/res") }?.errno == .resourceTemporarilyUnavailable)
    #expect(try host.text("/sys/res") == "1\n")
    #expect(try host.text("/sys/res") == "1\n")
    #expect(try host.list("/sys/dir") == ["a", "b", "link"])
    #expect(host.remaining.map(\.seq) == [14, 15])
    try host.replace("/etc/iet/ietd.conf", with: Array("Target x\n".utf8), mode: 0o600)
    try host.removeFile("/etc/iet/ietd.conf")
    #expect(try host.status("/etc/iet/ietd.conf") == nil)
    #expect(host.remaining == [])
  }

  @Test func anotherRequestIsToldWithTheRecordedOne() async throws {
    let host = try replay()
    let failure = await #expect(throws: Failure.self) { try await run(host, "ietadm", "--op", "show all") }
    #expect(
      failure?.description
        == "transcript entry 4: asked: exec ietadm --op 'show all' LC_ALL=C; recorded: exec ietadm --op new --tid=1"
    )
    // The place stays: the right request is still answered.
    #expect(try await run(host, "ietadm", "--op", "new", "--tid=1").status == 0)
    #expect(throws: Failure.self) { try host.createDirectory("/sys/mgmt") }
    let input = await #expect(throws: Failure.self) {
      try await host.run(["ietadm", "--op", "new"], environment: [:], input: [65], limit: .seconds(1))
    }
    #expect(input?.problem.hasPrefix("asked: exec ietadm --op new A; recorded:") == true)
  }

  @Test(arguments: [("/sys/mgmt", "add"), ("/sys/other", "add\n"), ("/sys/mgmt", "ADD\n")])
  func aWriteMustBeTheSame(_ path: String, _ data: String) throws {
    let host = try replay(from: 7)
    let failure = #expect(throws: Failure.self) { try host.write(Array(data.utf8), to: FilePath(path)) }
    #expect(failure?.code == .invalid && failure?.subject == "transcript entry 7")
  }

  @Test func aReplayMayBeginInTheMiddle() throws {
    let host = try replay(from: 14)
    #expect(try host.text("/proc/net/iet/volume") == "tid:1 name:t1\n")
    #expect(try host.text("/sys/res") == "1\n")
    try host.write(Array("Target x\n".utf8), to: "/etc/iet/ietd.conf")
  }

  @Test func whatIsNotInTheTranscriptIsAnError() throws {
    let host = try replay()
    #expect(throws: Failure.self) { try host.read("/nowhere") }
    #expect(throws: Failure.self) { try host.status("/nowhere") }
    #expect(throws: Failure.self) { try host.isModuleLoaded("iscsi_trgt") }
    // It is recorded, but only after actions that nobody has asked for.
    #expect(throws: Failure.self) { try host.read("/sys/res") }
    let ended = ReplayHost(Transcript())
    let failure = #expect(throws: Failure.self) { try ended.removeFile("/x") }
    #expect(failure?.description == "transcript: has ended, and then was asked: unlink /x")
  }

  @Test(arguments: [
    (#"{"op": 5}"#, 1), ("{\"op\": \"note\"}\n\n{", 3), ("# x\nnoise", 2), (#"{"seq": 1}"#, 1),
    (#"{"op": "read", "result": 7}"#, 1),
  ])
  func aLineThatIsNoEntryIsTold(_ text: String, _ line: Int) {
    let failure = #expect(throws: Failure.self) { try Transcript(text: text) }
    #expect(failure?.code == .garbled && failure?.subject == "transcript line \(line)")
  }

  @Test func linesMayEndInCRLF() throws {
    let text = "{\"op\": \"note\", \"text\": \"a\"}\r\n\r\n{\"op\": \"note\", \"text\": \"b\"}\r\n"
    #expect(try Transcript(text: text).entries.map(\.text) == ["a", "b"])
  }

  @Test func digitsThatAreNoneAreGarbled() async throws {
    for reply in ["0", "0g", "é"] {
      let host = ReplayHost(
        try Transcript(text: #"{"op": "exchange", "path": "/s", "request": "01", "reply": "\#(reply)"}"#))
      let failure = await #expect(throws: Failure.self) {
        try await host.exchange([1], with: "/s", lengthOffset: 0, limit: .seconds(1))
      }
      #expect(failure?.code == .garbled)
    }
  }
}
