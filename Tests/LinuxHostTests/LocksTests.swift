import Glibc
import HostInterface
import LinuxHost
import SystemPackage
import Testing

@Suite(.timeLimit(.minutes(2))) struct LocksTests {
  let host: LocalHost
  let scratch: Scratch

  init() throws {
    scratch = try Scratch()
    host = LocalHost(lockDirectory: scratch.path)
  }

  @Test func oneHolderAtATime() async throws {
    let lock = try await host.lock("state", limit: .zero)
    let failure = await #expect(throws: Failure.self) {
      try await host.lock("state", limit: .milliseconds(30))
    }
    #expect(failure?.code == .locked)
    let command = try host.text("/proc/self/comm").trimmed
    #expect(failure?.problem == "is held by pid \(getpid()) (\(command)), waited 0.03 seconds for it")
    try await host.lock("other", limit: .zero).release()
    lock.release()
    lock.release()
    try await host.lock("state", limit: .zero).release()
  }

  @Test func aWaiterGetsItWhenItIsReleased() async throws {
    let host = host
    let lock = try await host.lock("state", limit: .zero)
    let waiter = Task { try await host.lock("state", limit: .seconds(60)).release() }
    try await host.sleep(.milliseconds(30))
    lock.release()
    try await waiter.value
  }

  @Test func aCancelledTaskStopsWaiting() async throws {
    let host = host
    let lock = try await host.lock("state", limit: .zero)
    let waiter = Task { try await host.lock("state", limit: .seconds(600)) }
    waiter.cancel()
    #expect(await #expect(throws: Failure.self) { try await waiter.value }?.code == .interrupted)
    lock.release()
  }

  @Test func holdersExcludeOneAnother() async throws {
    let host = host
    let counter = try scratch.file("counter", "0")
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<10 {
        group.addTask {
          let lock = try await host.lock("state", limit: .seconds(60))
          defer { lock.release() }
          let count = try #require(Int(try host.text(counter)))
          try await host.sleep(.milliseconds(2))
          try host.replace(counter, with: Array("\(count + 1)".utf8), mode: 0o600)
        }
      }
      try await group.waitForAll()
    }
    #expect(try host.text(counter) == "10")
  }

  @Test func theLockGoesWithAHolderThatIsKilled() async throws {
    let file = scratch.path.appending("state.lock")
    let held = scratch.path.appending("held")
    let host = host
    let script = "echo $$ > '\(file)'; touch '\(held)'; exec sleep 1000"
    let holder = Task {
      try await host.run(
        ["flock", "--no-fork", file.string, "sh", "-c", script], environment: [:], input: [],
        limit: .seconds(600))
    }
    try await host.waitForPath(held, exists: true, limit: .seconds(60))
    let failure = await #expect(throws: Failure.self) {
      try await host.lock("state", limit: .milliseconds(20))
    }
    let pid = try #require(Int32(try host.text(file).trimmed))
    #expect(failure?.problem.hasPrefix("is held by pid \(pid) (sleep)") == true)
    kill(pid, SIGKILL)
    let lock = try await host.lock("state", limit: .seconds(60))
    #expect(try host.text(file) == "\(getpid())\n")
    lock.release()
    #expect(try await holder.value.status == 128 + SIGKILL)
  }

  @Test func commandsDoNotInheritTheLock() async throws {
    let lock = try await host.lock("state", limit: .zero)
    let result = try await host.run(
      ["sh", "-c", "readlink /proc/self/fd/*"], environment: [:], input: [], limit: .seconds(60))
    #expect(!String(decoding: result.output, as: UTF8.self).contains("state.lock"))
    lock.release()
  }

  @Test(arguments: ["", "a/b", "/", "a\0b"])
  func otherNamesAreRefused(_ name: String) async {
    #expect(await #expect(throws: Failure.self) { try await host.lock(name, limit: .zero) }?.code == .invalid)
  }

  @Test func aDirectoryThatOthersCanWriteIsRefused() async throws {
    #expect(chmod(scratch.path.string, 0o777) == 0)
    let failure = await #expect(throws: Failure.self) { try await host.lock("state", limit: .zero) }
    #expect(failure?.code == .permission && failure?.subject == scratch.path.string)
  }

  @Test func aLinkInPlaceOfTheDirectoryIsRefused() async throws {
    let link = scratch.path.appending("link")
    try host.createLink(link, to: scratch.path)
    let failure = await #expect(throws: Failure.self) {
      try await LocalHost(lockDirectory: link).lock("state", limit: .zero)
    }
    #expect(failure?.code == .permission)
  }

  @Test func aDirectoryThatIsMissingIsMade() async throws {
    let directory = scratch.path.appending("locks")
    try await LocalHost(lockDirectory: directory).lock("state", limit: .zero).release()
    var found = stat()
    #expect(stat(directory.string, &found) == 0 && found.st_mode & 0o777 == 0o700)
  }
}
