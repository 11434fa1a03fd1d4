import HostInterface
import SystemPackage
import Testing

@Suite struct PerformTests {
  @Test func operationsReachTheHost() async throws {
    let host = FakeHost(files: ["/file": "old\n"])
    let operations: [HostInterface.Operation] = [
      .createDirectory(path: "/d"), .createLink(path: "/l", destination: "/d"), .removeFile(path: "/l"),
      .removeDirectory(path: "/d"), .replaceFile(path: "/r", contents: "new", mode: 0o644),
      .editLines(path: "/file", edit: .append("new")), .editLines(path: "/file", edit: .append("new")),
      .editLines(path: "/other", edit: .append("first")), .loadModule(name: "nbd"),
      .wait(for: .exists(path: "/dev/x"), limit: .seconds(3)),
      .wait(for: .absent(path: "/dev/x"), limit: .seconds(4)),
    ]
    for operation in operations { #expect(try await host.perform(operation) == .none) }
    #expect(
      host.log == [
        "mkdir /d", "ln /l /d", "rm /l", "rmdir /d", "replace /r 644", "replace /file 600",
        "replace /other 600",
        "modprobe nbd", "wait /dev/x true 3.0 seconds", "wait /dev/x false 4.0 seconds",
      ])
    #expect(host.contents("/file") == "old\nnew\n")
    #expect(host.contents("/other") == "first\n")
  }

  @Test func answersComeBack() async throws {
    let host = FakeHost()
    let request = SocketRequest(
      path: "/s", header: [1, 2], body: "ab", lengthOffset: 0, limit: .seconds(1),
      equivalent: Command(["tool"]))
    #expect(try await host.perform(.exchange(request)) == .reply([98, 97, 2, 1]))
    #expect(
      try await host.perform(.run(Command(["tool", "\(Variable("v"))"])), variables: [Variable("v"): "3"])
        == .command(CommandResult(status: 3, errors: "refused: tool 3\n")))
  }

  @Test func linesWithBytesThatAreNoTextSurviveAnEdit() async throws {
    let host = FakeHost()
    try host.replace("/file", with: [0xff, 0xfe, 10, 65, 10], mode: 0o600)
    _ = try await host.perform(.editLines(path: "/file", edit: .remove("A")))
    #expect(try host.read("/file") == [0xff, 0xfe, 10])
  }

  @Test func anEmptyDirectoryIsAwaitedWithinTheLimit() async throws {
    let host = FakeHost(files: ["/d": "", "/d/x": ""])
    let wait = HostInterface.Operation.wait(for: .empty(directory: "/d"), limit: .milliseconds(100))
    let failure = await #expect(throws: Failure.self) { try await host.perform(wait) }
    #expect(failure?.code == .timedOut && failure?.subject == "/d")
    #expect(host.slept == .milliseconds(100))
    try host.removeFile("/d/x")
    #expect(try await host.perform(wait) == .none)
    try host.removeFile("/d")
    #expect(try await host.perform(wait) == .none)
  }

  @Test func aBoundValueIsTheWordBehindTheKey() async throws {
    let host = FakeHost(files: ["/f": "lun:1 path:/a t10\n\ttid:3 name:t1 \n tid:4 name:t1"])
    let variable = Variable("tid")
    func bind(_ containing: Text, _ key: String) async throws -> Answer {
      try await host.perform(.bind(variable, path: "/f", containing: containing, key: key))
    }
    #expect(try await bind("name:t1", "tid:") == .bound(variable, "3"))
    #expect(await #expect(throws: Failure.self) { try await bind("t1", "tid:") }?.code == .notFound)
    #expect(await #expect(throws: Failure.self) { try await bind("t10", "tid:") }?.code == .notFound)
  }
}
