import FoundationEssentials
import HostInterface
import HostRecording
import LIOBackend
import Quartet
import TargetCore
import Testing

/// What targetcli made, and what it saved of it (Fixtures/LIO/targetcli.jsonl).
private enum Recorded {
  static let first = "iqn.2011-12.com.example:disk1"

  static func saved() throws -> String {
    let line = try RecordedEntry.lines("targetcli.jsonl").first {
      $0.contains("\"op\": \"read\", \"path\": \"/srv/lio/saveconfig.json\"")
    }
    let entry = try line.map { try JSONDecoder().decode(RecordedEntry.self, from: Data($0.utf8)) }
    guard case .text(let text)? = entry?.result else {
      throw Failure(.notFound, "saveconfig.json", "is not there")
    }
    return text
  }

  /// The tree, from where the recorder began to read it.
  static func tree() async throws -> LiveState {
    let text = try RecordedEntry.lines("targetcli.jsonl").drop {
      !$0.contains("\"path\": \"/sys/kernel/config/target\"")
    }
    .joined(separator: "\n")
    let host = ReplayHost(try Transcript(text: text))
    return try await Implementation(.lio, on: host).read(ReadDetail(parameters: .all, shared: true))
  }
}

@Suite struct SaveConfigTests {
  private var format: ConfigurationFormat {
    get throws { try #require(BackendDescriptor.lio.formats["saveconfig"]) }
  }

  @Test func readsWhatTargetcliSaved() throws {
    let read = try format.read(Recorded.saved())
    let spec = try #require(read.state.targets.first { $0.name.description == Recorded.first })
    #expect(spec.initiators?.map(\.description) == ["iqn.1993-08.org.debian:01:one"])
    #expect(spec.chap?.incoming?.map(\.user.description) == ["jack"])
    #expect(spec.parameters[.maxBurstLength] == "131072")
    #expect(spec.attributes["login_timeout"] == "20")
    let units = try #require(spec.units).sorted { $0.lun < $1.lun }
    #expect(units.map(\.backing.description) == ["/srv/lio/d1", "/dev/ram0"])
    #expect(units.map(\.cache) == [.back, nil])
    #expect(units.map(\.readOnly) == [false, true])
    #expect(units[0].attributes["is_nonrot"] == "1")
    // An initiator without an account of its own is not let in by another's.
    #expect(read.warnings.contains { $0.contains("debian:01:two") })
    #expect(read.warnings.contains { $0.contains("second") })
    #expect(read.warnings.contains { $0.contains("file2") })
  }

  @Test func whatIsWrittenReadsAsItIs() async throws {
    let state = try await Recorded.tree()
    let written = try format.write(state)
    let spec = try #require(
      try format.read(written).state.targets.first { $0.name.description == Recorded.first })
    let target = try #require(state.targets[spec.name])
    #expect(Set(spec.initiators ?? []) == target.initiators)
    #expect(spec.chap?.incoming == target.chap.incoming)
    #expect(spec.parameters == target.parameters)
    #expect(Set(spec.portals ?? []) == target.portals)
    let reconciler = Reconciler(
      capabilities: try Implementation(.lio, on: ReplayHost(Transcript())).backend.capabilities)
    let changes = try reconciler.changes(to: DesiredState(targets: [spec]), from: state)
    #expect(changes.map(\.description) == [])
  }

  @Test func readsTheTreeAsTargetcliMadeIt() async throws {
    let state = try await Recorded.tree()
    let target = try #require(state.targets[try TargetName(Recorded.first)])
    #expect(target.enabled)
    #expect(target.initiators.map(\.description) == ["iqn.1993-08.org.debian:01:one"])
    #expect(target.unfinishedInitiators.isEmpty)
    #expect(state.remarks.contains { $0.hasPrefix("iqn.1993-08.org.debian:01:two does not get in") })
    let unit = try #require(target.units[try LUN(0)])
    #expect(unit.scsiID == "file1")
    #expect(unit.cache == .back)
    #expect(unit.size == 16_777_216)
    #expect(state.remarks.contains { $0.contains("as 5") })
  }

  @Test(arguments: [
    "", "[]", "{", "{\"targets\":[{}]}", "{\"targets\":[{\"wwn\":\"no name\"}]}",
    String(repeating: "[", count: 100_000), "{\"storage_objects\":[{}]}", "{} {}", "{\"a\":\"\\ud800\"}",
    "{\"a\":1e}",
  ])
  func refusesWhatIsNone(_ text: String) throws {
    let failure = #expect(throws: Failure.self) { try format.read(text) }
    #expect(failure?.code == .invalid)
  }
}
