import FoundationEssentials
import HostInterface
import Quartet
import STGTBackend
import Simulation
import Synchronization
import SystemPackage
import TargetCore
import Testing

/// What Quartet reads out of what the real tgtd printed, held to a text that was looked over by eye.
///
/// `GOLDEN_UPDATE=1 swift test --filter ReadTests` writes the texts anew.
@Suite struct ReadTests {
  private static let fixtures = FilePath(#filePath).removingLastComponent().appending(
    "../../../Fixtures/STGT"
  )
  .lexicallyNormalized()

  private struct Entry: Decodable {
    var seq: Int
    var op: String
    var argv: [String]?
    var exit: Int32?
    var stdout: String?
  }

  @Test(arguments: ["access", "accounts", "errors", "lifecycle", "luns", "parameters", "portals", "sessions"])
  func readsTheRecording(_ name: String) async throws {
    let text = try String(contentsOfFile: Self.fixtures.appending(name + ".jsonl").string, encoding: .utf8)
    let printed = PrintedTexts()
    let host = SimulatedHost(services: [printed])
    var found = "What Quartet reads out of \(name).jsonl, by the numbers of its steps.\n"
    for line in text.split(separator: "\n") {
      let entry = try JSONDecoder().decode(Entry.self, from: Data(line.utf8))
      if entry.op == "start" { printed.forget() }
      guard entry.op == "exec", entry.exit == 0, let output = entry.stdout, !output.isEmpty,
        let place = PrintedTexts.Place(argv: entry.argv ?? [])
      else { continue }
      printed.take(output, at: place)
      let implementation = try Implementation(.stgt, on: host)
      let state = try await implementation.read(ReadDetail(parameters: .all, shared: true, statistics: .all))
      found += "\n== \(entry.seq) \(place.words)\n" + state.dump
    }
    try expectGolden(found, Self.fixtures.appending(name + ".read.txt"))
  }

  @Test(arguments: [
    "Target x: iqn.2001-04.com.example:disk", "Target 1 iqn", "  indented first", "nonsense",
    "        LUN: 1",
  ])
  func otherTextIsNoState(_ text: String) async throws {
    let printed = PrintedTexts()
    printed.take(text, at: .init(mode: 1, tid: .max))
    let implementation = try Implementation(.stgt, on: SimulatedHost(services: [printed]))
    let failure = await #expect(throws: Failure.self) { _ = try await implementation.read() }
    #expect(failure?.code == .garbled)
  }

  /// A newer tgtd may print more; nothing of what is known is lost by that.
  @Test func linesThatAreNotKnownAreSkipped() async throws {
    let text = """
      Target 7: iqn.2001-04.com.example:disk
          System information:
              Driver: iscsi
              State: ready
              Mood: good
          Weather information:
              Sunny
          LUN information:
              LUN: 1
                  Type: disk
                  SCSI ID: abc
                  Shape: round
                  Backing store path: /srv/a
                  Backing store flags: sync
          ACL information:
              ALL

      """
    let printed = PrintedTexts()
    printed.take(text, at: .init(mode: 1, tid: .max))
    let implementation = try Implementation(.stgt, on: SimulatedHost(services: [printed]))
    let state = try await implementation.read()
    let target = try #require(state.targets[try TargetName("iqn.2001-04.com.example:disk")])
    #expect(target.id == 7 && target.enabled && target.initiators == [.all])
    #expect(target.units[try LUN(1)]?.backing == .path("/srv/a"))
    #expect(target.units[try LUN(1)]?.scsiID == "abc")
  }
}

/// A tgtd that answers with texts that were printed before.
private final class PrintedTexts: SimulatedService {
  /// What a request asks for: a mode of the protocol, and a target or all.
  struct Place: Hashable {
    var mode: UInt32
    var tid: UInt32
    var words = ""

    init(mode: UInt32, tid: UInt32) {
      self.mode = mode
      self.tid = tid
    }

    /// What a command line of tgtadm asks for; nil when it shows nothing.
    init?(argv: [String]) {
      func value(_ option: String) -> String? {
        argv.firstIndex(of: option).flatMap { $0 + 1 < argv.count ? argv[$0 + 1] : nil }
      }
      let modes: [String: UInt32] = ["system": 0, "target": 1, "portal": 3, "conn": 6, "account": 7]
      guard let operation = value("--op"), ["show", "stat"].contains(operation),
        let mode = value("--mode").flatMap({ modes[$0] })
      else { return nil }
      self.init(
        mode: mode + (operation == "stat" ? 100 : 0), tid: value("--tid").flatMap(UInt32.init) ?? .max)
      words = argv.dropFirst(3).joined(separator: " ")
    }

    static func == (left: Place, right: Place) -> Bool { left.mode == right.mode && left.tid == right.tid }
    func hash(into hasher: inout Hasher) { hasher.combine([mode, tid]) }
  }

  private let texts = Mutex<[Place: String]>([:])

  func take(_ text: String, at place: Place) { texts.withLock { $0[place] = text } }

  /// A new tgtd, of which the recordings do not always print the list of targets before they print one.
  func forget() {
    let list = """
      Target 1: iqn.2011-12.com.example:disk1
          System information:
              State: ready

      """
    texts.withLock { $0 = [Place(mode: 1, tid: .max): list] }
  }

  func attach(to host: SimulatedHost) { host.listen(at: "/var/run/tgtd/socket.0", for: self) }

  func exchange(_ request: [UInt8], at path: FilePath, on host: SimulatedHost) -> SimulatedReply {
    func number(_ offset: Int) -> UInt32 {
      request.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self) }
    }
    let isStatistics = number(4) == 6
    let text = texts.withLock { $0[Place(mode: number(0) + (isStatistics ? 100 : 0), tid: number(76))] } ?? ""
    let length = UInt32(8 + text.utf8.count)
    return .bytes([0, 0, 0, 0] + withUnsafeBytes(of: length) { Array($0) } + text.utf8)
  }
}
