import HostInterface
import Testing

/// Signals and other processes in the middle of an apply.
@Suite(.enabled(if: Workbench.hasTgtd, "tgtd is not installed, or not root"))
struct InterruptionTests {
  /// Starts an apply of many logical units and sends a signal when the step of a number begins.
  ///
  /// The pipe for its messages holds one page, so that it is at most some twenty steps ahead of its reader.
  private func apply(_ bench: Workbench, _ file: String, until step: Int, then signal: String) async throws
    -> Outcome
  {
    let script = try bench.file(
      "interrupt.py",
      text: """
        import fcntl, os, signal, subprocess, sys
        reader, writer = os.pipe()
        fcntl.fcntl(writer, 1031, 4096)  # F_SETPIPE_SZ
        run = subprocess.Popen(sys.argv[3:], stderr=writer)
        os.close(writer)
        for line in os.fdopen(reader):
            sys.stderr.write(line)
            if line.startswith("[" + sys.argv[1] + "/"): run.send_signal(getattr(signal, "SIG" + sys.argv[2]))
        sys.exit(run.wait() % 256)
        """)
    return try await bench.shell("python3 \(script) \(step) \(signal) $Q apply -v \(file)")
  }

  @Test(arguments: [2, 40, 161])
  func anInterruptUndoesWhatWasDone(step: Int) async throws {
    try await withWorkbench { bench in
      let file = try bench.file("state.yaml", text: ApplyTests.document(bench, luns: 1...120))
      let outcome = try await apply(bench, file, until: step, then: "INT")
      #expect(outcome.status == 130, "\(outcome.errors.suffix(500))")
      #expect(outcome.errors.contains("undoing"))
      #expect(try await bench.quartet("target", "list").output.isEmpty)
    }
  }

  @Test(arguments: [1, 2, 3, 40, 161, 200])
  func aKilledRunIsFinishedByRunningItAgain(step: Int) async throws {
    try await withWorkbench { bench in
      let file = try bench.file("state.yaml", text: ApplyTests.document(bench, luns: 1...120))
      let killed = try await apply(bench, file, until: step, then: "KILL")
      #expect(killed.status != 0)
      let again = try await bench.quartet("apply", file)
      #expect(again.status == 0, "\(again.errors)")
      #expect(try await bench.quartet("diff", file).status == 0)
    }
  }

  @Test func twoProcessesTakeTurns() async throws {
    try await withWorkbench { bench in
      let disks = try (1...8).map { try bench.file("disk\($0)") }
      let lines = disks.enumerated().map { index, disk in
        "$Q target create iqn.2011-12.com.example:t\(index) --lun 1=\(disk) & p\(index)=$!"
      }
      let waits = disks.indices.map { "wait $p\($0) || exit 1" }
      let outcome = try await bench.shell((lines + waits).joined(separator: "\n"))
      #expect(outcome.status == 0, "\(outcome.errors)")
      let list = try await bench.quartet("lun", "list").output
      #expect(list.split(separator: "\n").count == 9)
    }
  }

  @Test func aLockThatIsHeldNamesItsHolder() async throws {
    try await withWorkbench { bench in
      // The lock's file is made by the first run; flock(1) then holds it as another quartet would.
      try await bench.quartet("target", "create", Workbench.name)
      let outcome = try await bench.shell(
        """
        lock=$(ls \(bench.folder)/lock/*.lock)
        flock $lock $Q target delete \(Workbench.name) --lock-wait 0
        """)
      #expect(outcome.status == 9, "\(outcome.errors)")
      #expect(try await bench.quartet("target", "list").output.contains(Workbench.name))
    }
  }
}
