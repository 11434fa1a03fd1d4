import HostInterface
import Testing

/// Signals and other processes in the middle of an apply.
@Suite(.enabled(if: Workbench.hasTgtd, "tgtd is not installed, or not root"))
struct InterruptionTests {
  /// Starts an apply of many logical units and sends a signal when the step of a number begins.
  private func apply(_ bench: Workbench, _ file: String, until step: Int, then signal: String) async throws
    -> Outcome
  {
    try await bench.shell(
      """
      mkfifo \(bench.folder)/steps; $Q apply -v \(file) 2>\(bench.folder)/steps & p=$!
      while read -r line; do
        case "$line" in "[\(step)/"*) kill -\(signal) $p;; esac; echo "$line" >&2
      done < \(bench.folder)/steps
      rm \(bench.folder)/steps; wait $p
      """)
  }

  @Test(arguments: [2, 40, 161])
  func anInterruptUndoesWhatWasDone(step: Int) async throws {
    try await withWorkbench { bench in
      let file = try bench.file("state.yaml", text: ApplyTests.document(bench, luns: 1...120))
      let outcome = try await apply(bench, file, until: step, then: "INT")
      // A run that was quicker than the signal is whole; every other one has left nothing.
      let targets = try await bench.quartet("target", "list").output
      if outcome.status == 0 {
        #expect(try await bench.quartet("diff", file).status == 0)
      } else {
        #expect(outcome.status == 130, "\(outcome.errors)")
        #expect(targets.isEmpty)
      }
    }
  }

  @Test(arguments: [1, 2, 3, 40, 161, 242])
  func aKilledRunIsFinishedByRunningItAgain(step: Int) async throws {
    try await withWorkbench { bench in
      let file = try bench.file("state.yaml", text: ApplyTests.document(bench, luns: 1...120))
      _ = try await apply(bench, file, until: step, then: "KILL")
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
