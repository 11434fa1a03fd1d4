import Glibc
import HostInterface
import LinuxHost
import Synchronization
import SystemPackage
import Testing
import VirtualMachine

/// Guests, from the host: what runs in them, how they end, and that nothing of them stays.
@Suite(
  .serialized, .timeLimit(.minutes(10)),
  .enabled(if: Guest.isWanted, "no virtual machines: this is one, or QUARTET_VM=0 is set"))
struct GuestTests {
  private func start(_ change: (inout GuestConfiguration) throws -> Void = { _ in }) async throws -> Guest {
    var configuration = GuestConfiguration()
    try change(&configuration)
    return try await Guest.start(configuration, on: GuestKernel.prepare())
  }

  @Test func testsThatNeedAKernelPassThere() async throws {
    let guest = try await start { $0.disks = [try ScratchDisk(serial: "disk0", size: 32 << 20)] }
    let bundle = try await TestBundle.run(
      #"^VMTests\.GuestKernelTests/"#, in: guest, limit: .seconds(300))
    #expect(bundle.passed == 5)
    try await guest.shutDown()
  }

  @Test func theKernelsTargetIsDriven() async throws {
    let guest = try await start()
    let bundle = try await TestBundle.run(#"^VMTests\.GuestLIOTests/"#, in: guest, limit: .seconds(300))
    #expect(bundle.passed == 5)
    try await guest.shutDown()
  }

  @Test func theKernelsTargetIsSharedWithTargetcli() async throws {
    let guest = try await start()
    let bundle = try await TestBundle.run(
      #"^VMTests\.GuestTargetcliTests/"#, in: guest, limit: .seconds(300))
    #expect(bundle.passed == 1)
    try await guest.shutDown()
  }

  @Test func sizesAreComputedAsDRBDAndLVMHaveThem() async throws {
    let guest = try await start {
      $0.disks = [
        try ScratchDisk(serial: "disk0", size: 4 << 40), try ScratchDisk(serial: "disk1", size: 1 << 30),
      ]
    }
    let bundle = try await TestBundle.run(#"^VMTests\.GuestSizeTests/"#, in: guest, limit: .seconds(300))
    #expect(bundle.passed == 3)
    try await guest.shutDown()
  }

  @Test func theKernelsInitiatorIsServed() async throws {
    let guest = try await start()
    let bundle = try await TestBundle.run(
      #"^VMTests\.InitiatorTests/"#, in: guest, limit: .seconds(560))
    #expect(bundle.passed == 14)
    try await guest.shutDown()
  }

  @Test func aBundleWithoutATestOrWithASkippedOneFails() async throws {
    let guest = try await start()
    for filter in ["NoTestHasThisName", #"^VMTests\.(FormatTests/noise|GuestTests/)"#] {
      let failure = await #expect(throws: Failure.self) {
        try await TestBundle.run(filter, in: guest, limit: .seconds(200))
      }
      #expect(failure?.code == .refused)
    }
    try await guest.shutDown()
  }

  @Test func commandsReportWhatTheyPrintAndHowTheyEnd() async throws {
    let guest = try await start { $0.name = "one" }
    let limit = Duration.seconds(60)
    let words = ["", "a b", "$HOME", "'", "*", "ä\n"]
    let printed = try await guest.run(["printf", "<%s>"] + words, limit: limit)
    #expect(String(decoding: printed.output, as: UTF8.self) == words.map { "<\($0)>" }.joined())
    let script = "echo out; echo err >&2; echo $ADDED $QUARTET_IN_VM $PWD $(hostname); exit 3"
    let mixed = try await guest.run(
      ["sh", "-c", script], environment: ["ADDED": "x"], directory: "/usr", limit: limit)
    #expect(
      mixed == CommandResult(status: 3, output: Array("out\nx 1 /usr one\n".utf8), errors: "err\n"))
    #expect(try await guest.run(["sh", "-c", "kill -9 $$"], limit: limit).status == 128 + 9)
    let missing = try await guest.run(["no-such-program"], limit: limit)
    #expect(missing.status == 127 && missing.errors.contains("no-such-program"))
    #expect(try await guest.run(["true"], directory: "/no/such", limit: limit).status == 127)
    let much = try await guest.run(["head", "-c", "3000000", "/dev/zero"], limit: limit)
    #expect(much.output.count == 3_000_000 && much.status == 0)
    // What a daemon keeps open is not waited for, and the daemon is not killed.
    let daemon = try await guest.run(["sh", "-c", "sleep 1000 & echo $!"], limit: limit)
    let pid = String(decoding: daemon.output, as: UTF8.self).trimmed
    #expect(try await guest.run(["kill", "-0", pid], limit: limit).status == 0)
    await #expect(throws: Failure.self) { try await guest.run(["a\0b"], limit: limit) }
    await #expect(throws: Failure.self) { try await guest.run([], limit: limit) }
    try await guest.shutDown()
    let late = await #expect(throws: Failure.self) { try await guest.run(["true"], limit: limit) }
    #expect(late?.code == .unavailable)
  }

  @Test func aCommandThatIsTooSlowIsKilledAndOthersGoOn() async throws {
    let guest = try await start()
    let other = Task { try await guest.run(["sh", "-c", "sleep 3; echo done"], limit: .seconds(120)) }
    let failure = await #expect(throws: Failure.self) {
      try await guest.run(["sh", "-c", "sleep 12345 & sleep 12345"], limit: .seconds(1))
    }
    #expect(failure?.code == .timedOut)
    #expect(try await other.value.output == Array("done\n".utf8))
    let left = try await guest.run(["pgrep", "-f", "^sleep 12345"], limit: .seconds(60))
    #expect(left.status == 1 && left.output.isEmpty)
    let task = Task { try await guest.run(["sleep", "1000"], limit: .seconds(900)) }
    task.cancel()
    await #expect(throws: Failure.self) { try await task.value }
    try await guest.shutDown()
  }

  @Test func aDiskKeepsWhatWasFlushedBeforeAPowerCut() async throws {
    let disk = try ScratchDisk(serial: "kept", size: 16 << 20)
    let first = try await start { $0.disks = [disk] }
    let script =
      "cat /sys/block/vda/serial; echo kept | dd of=/dev/vda oflag=direct conv=fsync bs=512 count=1"
    let written = try await first.run(["sh", "-c", script], limit: .seconds(60))
    #expect(written.status == 0 && written.output == Array("kept".utf8))
    let cut = Task { try await first.run(["sleep", "1000"], limit: .seconds(900)) }
    first.cutPower()
    let failure = await #expect(throws: Failure.self) { try await cut.value }
    #expect(failure?.code == .unavailable)
    let second = try await start { $0.disks = [disk] }
    let read = try await second.run(["head", "-c", "5", "/dev/vda"], limit: .seconds(60))
    #expect(read.output == Array("kept\n".utf8))
    try await second.shutDown()
  }

  @Test func guestsReachEachOther() async throws {
    let network = try VirtualNetwork(ports: 3)
    let guests = try await withThrowingTaskGroup(of: Guest.self) { group in
      for number in 1...3 {
        group.addTask {
          try await start {
            $0.name = "node\(number)"
            $0.network = network.port(number)
          }
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    for guest in guests {
      for number in 1...3 {
        let ping = try await guest.run(
          ["busybox", "ping", "-c", "1", "-w", "20", "10.77.0.\(number)"], limit: .seconds(60))
        #expect(ping.status == 0, "\(ping)")
      }
    }
    // Long frames through TCP: the receiver sends back the sum of what arrived.
    let receiver = guests[0]
    let served = Task {
      try await receiver.run(["busybox", "nc", "-l", "-p", "4000", "-e", "sha256sum"], limit: .seconds(120))
    }
    let name = String(
      decoding: try await receiver.run(["hostname"], limit: .seconds(60)).output, as: UTF8.self)
    let script = """
      head -c 4000000 /dev/urandom > /run/data
      sha256sum < /run/data
      for try in 1 2 3 4 5 6 7 8 9 10; do
        busybox nc 10.77.0.\(name.trimmed.suffix(1)) 4000 < /run/data && break; sleep 0.5
      done
      """
    let sums = try await guests[1].run(["sh", "-c", script], limit: .seconds(120))
    let lines = String(decoding: sums.output, as: UTF8.self).split(separator: "\n")
    #expect(lines.count == 2 && lines.first == lines.last, "\(lines)")
    #expect(try await served.value.status == 0)
    for guest in guests { try await guest.shutDown() }
    #expect(network.port(0) == nil && network.port(4) == nil)
  }

  @Test func aKernelThatTellsOfADefectFailsTheRun() async throws {
    let guest = try await start()
    #expect(
      try await guest.run(["sh", "-c", "echo 'WARNING: made up' > /dev/kmsg"], limit: .seconds(60)).status
        == 0)
    let failure = await #expect(throws: Failure.self) { try await guest.shutDown() }
    #expect(failure?.answer?.contains("WARNING: made up") == true)
    let panicking = try await start()
    let end = await #expect(throws: Failure.self) {
      try await panicking.run(["sh", "-c", "echo c > /proc/sysrq-trigger"], limit: .seconds(60))
    }
    #expect(end?.code == .unavailable && end?.answer?.contains("Kernel panic") == true)
    await #expect(throws: Failure.self) { try await panicking.shutDown() }
  }

  @Test func aGuestEndsAtItsLimitAndWithItsOwner() async throws {
    let limited = try await start { $0.lifeLimit = .seconds(1) }
    let failure = await #expect(throws: Failure.self) {
      try await limited.run(["sleep", "1000"], limit: .seconds(300))
    }
    #expect(failure?.code == .unavailable)
    let before = try emulators()
    var dropped: Guest? = try await start { $0.name = "dropped" }
    _ = dropped
    dropped = nil
    try await waitUntil { try emulators().isSubset(of: before) }
  }

  @Test func nothingStaysWhenTheOwnerIsKilled() async throws {
    let before = try emulators()
    let scratch = try Set(LocalHost().list("/var/tmp"))
    let program = try LocalHost().readLink("/proc/self/exe").removingLastComponent().appending("dev").string
    let argv: [String] = [program, "vm", "--limit", "200", "--", "sh", "-c", "echo ready; sleep 1000"]
    var words = argv.map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    let pipe = try FileDescriptor.pipe()
    defer { try? pipe.readEnd.close() }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, pipe.writeEnd.rawValue, 1)
    posix_spawn_file_actions_addclose(&actions, pipe.writeEnd.rawValue)
    posix_spawn_file_actions_addclose(&actions, pipe.readEnd.rawValue)
    var owner = pid_t()
    try #require(posix_spawn(&owner, program, &actions, nil, &words, environ) == 0)
    try pipe.writeEnd.close()
    let said = try [UInt8](unsafeUninitializedCapacity: 6) { buffer, count in
      count = try pipe.readEnd.read(into: UnsafeMutableRawBufferPointer(buffer))
    }
    #expect(said == Array("ready\n".utf8))
    // Stopped, it cannot end by itself when it sees that nobody is there any longer.
    let emulator = try #require(try emulators().subtracting(before).first.flatMap { pid_t($0) })
    kill(emulator, SIGSTOP)
    kill(owner, SIGKILL)
    var status: Int32 = 0
    waitpid(owner, &status, 0)
    try await waitUntil { try emulators().isSubset(of: before) }
    let left = try LocalHost().list("/var/tmp").filter { $0.hasPrefix("quartet-") && !scratch.contains($0) }
    #expect(left.isEmpty)
  }

  /// The pids of QEMU processes that run from this repository's cache.
  private func emulators() throws -> Set<String> {
    let host = LocalHost()
    return Set(
      try host.list("/proc").filter { pid in
        guard Int32(pid) != nil, let line = try? host.text(FilePath("/proc/\(pid)/cmdline")) else {
          return false
        }
        return line.hasPrefix("qemu-system") && line.contains(GuestKernel.defaultCache.string)
      })
  }

  private func waitUntil(_ condition: () throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(120)
    while try !condition() {
      try #require(ContinuousClock.now < deadline)
      try await Task.sleep(for: .milliseconds(50))
    }
  }
}
