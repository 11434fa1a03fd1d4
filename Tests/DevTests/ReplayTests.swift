import FoundationEssentials
import Glibc
import HostInterface
import IETSimulator
import LIOSimulator
import SCSTSimulator
import STGTSimulator
import SystemPackage
import Testing

@testable import dev

/// Recordings as files, good, edited and damaged.
struct ReplayTests {
  private static let fixtures = FilePath(#filePath).removingLastComponent()
    .appending("../../Fixtures").lexicallyNormalized()

  private static let recordings: [(model: String, name: String)] = [
    ("SCST", "errors"), ("SCST", "lifecycle"), ("IET", "hazards"), ("IET", "users"), ("IET", "config"),
    ("IET", "after-1.4.19-delete-with-session"), ("STGT", "access"), ("LIO", "targets"),
  ]

  @Test(arguments: recordings) func aRecordingOfTheRepositoryIsAnswered(_ model: String, _ name: String)
    async throws
  {
    let path = Self.fixtures.appending("\(model)/\(name).jsonl")
    let outcome = try await Recording(model: #require(.init(named: model)), path: path).play()
    #expect(outcome.differences.isEmpty && outcome.steps > 5)
  }

  /// The lists of known differences are about the repository's own recordings, whatever others are called.
  @Test func anEditedRecordingIsCompared() async throws {
    let directory = try #require(Scratch())
    let text = try directory.text(Self.fixtures.appending("SCST/errors.jsonl"))
    #expect(text.contains(#""errno": "EEXIST""#))
    let path = try directory.write(
      "errors.jsonl", text.replacing(#""errno": "EEXIST""#, with: #""errno": "EBUSY""#, maxReplacements: 1))
    let outcome = try await Recording(model: .scst, path: path).play()
    #expect(outcome.differences.first?.description.contains("EEXIST, not EBUSY") == true)
  }

  @Test(arguments: [
    "", "{}\n", "[1, 2]\n", "\u{0}\u{1}", #"{"seq": 1e99, "op": "read"}"#, #"{"seq": 1, "op": 2}"#,
  ])
  func whatIsNoRecordingIsToldSo(_ text: String) async throws {
    let directory = try #require(Scratch())
    let path = try directory.write("none.jsonl", text)
    for model in Recording.Model.allCases {
      let failure = await #expect(throws: Failure.self) {
        try await Recording(model: model, path: path).play()
      }
      #expect(failure?.code == .garbled)
    }
    let failure = await #expect(throws: Failure.self) {
      try await Recording(model: .iet, path: FilePath("/nowhere.jsonl")).play()
    }
    #expect(failure?.code == .notFound)
  }

  /// Whatever a file holds, the models go on: words of it are changed, cut, doubled and exchanged.
  @Test(arguments: Recording.Model.allCases) func damagedRecordingsNeverTrap(_ model: Recording.Model)
    async throws
  {
    let rounds = 10 * max(1, min(getenv("FACTOR").flatMap { Int(String(cString: $0)) } ?? 1, 1_000_000))
    var generator = SystemRandomNumberGenerator()
    let directory = try #require(Scratch())
    let names = [
      Recording.Model.scst: ["errors", "async", "lifecycle"],
      .iet: ["users", "sessions", "lifecycle", "hazards"],
      .stgt: ["sessions", "luns", "access"], .lio: ["sessions", "targets", "fileio", "reservations"],
    ]
    let lines = try (names[model] ?? []).flatMap { name in
      try directory.text(Self.fixtures.appending("\(model.rawValue)/\(name).jsonl")).split(separator: "\n")
        .filter { $0.utf8.count < 4000 }
    }
    for _ in 0..<rounds {
      let start = Int.random(in: 0..<max(1, lines.count - 40), using: &generator)
      let damaged = lines[start..<min(lines.count, start + 40)].map { Damage.of(String($0), &generator) }
      // One line that is none would hide the others.
      let good = damaged.filter {
        (try? JSONDecoder().decode(Line.self, from: Data($0.utf8))) != nil
      }
      // Whether the others are steps is told by a failure, and never by the end of the program.
      do { _ = try await differences(in: good.joined(separator: "\n"), model) } catch let failure as Failure {
        #expect(failure.code == .garbled)
      }
    }
  }

  private func differences(in text: String, _ model: Recording.Model) async throws -> Int {
    switch model {
    case .scst: try await SCSTReplay.differences(in: text).count
    case .iet: try await IETReplay.differences(in: text).count
    case .stgt: try await STGTReplay.differences(in: text).count
    case .lio: try await LIOReplay.differences(in: text).count
    }
  }
}

/// What every step has.
private struct Line: Decodable {
  var seq: Int
  var op: String
}

/// Damages a line of a recording in its words, so that it mostly stays JSON.
private enum Damage {
  private static let words = [
    "18446744073709551615", "-1", "0", "999999999999999999999", "", " ", "=", "/", "..", "add_device",
    "create", "--table", "dmsetup create", "truncate -s 99999999999G /x", "losetup a", "%", "\\u0000", "é",
    "(still blocked)", "[final state of that write]", "99999999999 s later", "EAGAIN",
  ]

  static func of(_ line: String, _ generator: inout SystemRandomNumberGenerator) -> String {
    var parts = line.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
    for _ in 0..<Int.random(in: 1...4, using: &generator) {
      let at = Int.random(in: 0..<parts.count, using: &generator)
      let word = words.randomElement(using: &generator) ?? ""
      switch Int.random(in: 0..<4, using: &generator) {
      case 0: parts.swapAt(at, Int.random(in: 0..<parts.count, using: &generator))
      case 1 where parts[at].hasPrefix("\"") && parts[at].hasSuffix("\","): parts[at] = "\"\(word)\","
      case 2 where Int(parts[at].filter(\.isNumber)) != nil:
        parts[at] = word + (parts[at].hasSuffix(",") ? "," : "")
      default: parts[at] += word
      }
    }
    return parts.joined(separator: " ")
  }
}
