import HostInterface
import Quartet
import SCSTBackend
import Simulation
import SystemPackage
import TargetBackendTesting
import TargetCore
import Testing

@testable import SCSTSimulator

/// What `read` makes of the tree of the real SCST after each part of its recorded life: by the recorded changes alone,
/// without the model.
@Suite struct RecordedReadTests {
  @Test func readsEachPartOfALife() async throws {
    let machine = SCSTMachine()
    try machine.scst.show(snapshot: Fixtures.text("snapshot-0-modules-loaded.json"))
    let backend = try BackendDescriptor.scst.make([:])
    let detail = ReadDetail(parameters: .all, shared: true)
    var text = ""
    var before: [String] = []
    func look(_ part: String) async throws {
      let lines = try await backend.read(machine.host, detail: detail).rendering.split(separator: "\n")
        .map(String.init)
      let changes = lines.difference(from: before).map { change in
        switch change {
        case .remove(_, let line, _): "- " + line
        case .insert(_, let line, _): "+ " + line
        }
      }
      text += (["== " + part] + changes).joined(separator: "\n") + "\n"
      before = lines
    }
    var part = ""
    for step in try RecordedStep.steps(in: Fixtures.text("lifecycle.jsonl")) where step.seq > 19 {
      if let section = step.section, section != part {
        if !part.isEmpty { try await look(part) }
        part = section
      }
      if let change = step.tree { take(change, machine) }
      // With a session, and with what was changed under it.
      if step.seq == 425 || step.seq == 440 { try await look("\(part) at \(step.seq)") }
    }
    try await look(part)
    try expectGolden("read-lifecycle.txt", text)
  }

  private func take(_ change: RecordedStep.Change, _ machine: SCSTMachine) {
    machine.scst.kernel.withLock { kernel in
      for path in (change.removed ?? []).sorted().reversed() { kernel.tree.remove(path.withoutSlash) }
      let entries = (change.created ?? [:]).merging(change.changed ?? [:]) { $1 }
      for (path, entry) in entries.sorted(by: { $0.key < $1.key }) {
        kernel.tree.put(path.withoutSlash, entry.asEntry)
      }
    }
  }
}

extension String {
  fileprivate var withoutSlash: String { hasSuffix("/") ? String(dropLast()) : self }
}
