import Glibc
import HostInterface
import IETSimulator
import LIOSimulator
import LinuxHost
import SCSTSimulator
import STGTSimulator
import Simulation
import SystemPackage

/// A recording of a real implementation in a file, and the model that it is played into.
struct Recording {
  /// The models, by the names of their folders below Fixtures.
  enum Model: String, CaseIterable {
    case scst = "SCST"
    case iet = "IET"
    case stgt = "STGT"
    case lio = "LIO"

    /// The model of a name in any case, or of an implementation's own.
    init?(named name: String) {
      let upper = name.uppercased()
      guard let model = Self(rawValue: upper == "TGT" ? "STGT" : upper) else { return nil }
      self = model
    }
  }

  /// How a recording went.
  struct Outcome {
    /// How many steps it has.
    var steps: Int
    /// Steps that the model is known to answer otherwise, with the reasons.
    var known: [(step: Int, reason: String)]
    /// What else differs.
    var differences: [ReplayDifference]
  }

  let model: Model
  let path: FilePath
  /// The version of IET that answers; nil follows from the file's name.
  var version: IETVersion?

  private static let fixtures = FilePath(#filePath).removingLastComponent()
    .appending("../../Fixtures").lexicallyNormalized()

  /// Plays the recording.
  ///
  /// - Throws: ``Failure`` when it cannot be read, or is none.
  func play() async throws -> Outcome {
    let host = LocalHost()
    let text = String(decoding: try host.read(path), as: UTF8.self)
    let steps = text.utf8.split(separator: UInt8(ascii: "\n")).count
    guard steps > 0 else { throw Failure(.garbled, "\(path)", "is empty, and no recording") }
    let directory = Self.fixtures.appending(model.rawValue)
    let name = path.lastComponent?.stem ?? ""
    // What the lists say is about these very recordings, and not about others of their names.
    let isOurs = (try? host.text(directory.appending(name + ".jsonl"))) == text
    let lists = isOurs ? RecordingLists(directory: directory, recording: name, host: host) : nil
    let found = try await differences(in: text, named: name, lists)
    let known = lists?.simpler ?? [:]
    return Outcome(
      steps: steps,
      known: found.compactMap { one in known[one.step].map { (one.step, $0) } },
      differences: found.filter { known[$0.step] == nil })
  }

  private func differences(in text: String, named name: String, _ lists: RecordingLists?) async throws
    -> [ReplayDifference]
  {
    switch model {
    case .iet:
      let version = version ?? (name.hasPrefix("after-1.4.19") ? .january2010 : .release19)
      return try await IETReplay.differences(in: text, version, unrecorded: lists?.unrecorded ?? [:])
    case .scst:
      let folder = path.removingLastComponent()
      return try await SCSTReplay.differences(in: text) { file in
        // A snapshot is a file beside the recording, wherever the recording says that it is.
        guard let component = FilePath.Component(file.split(separator: "/").last.map(String.init) ?? "")
        else {
          return nil
        }
        return try? LocalHost().text(folder.appending(component))
      }
    case .stgt: return try await STGTReplay.differences(in: text)
    case .lio: return try await LIOReplay.differences(in: text, passingOver: lists?.passedOver ?? [])
    }
  }
}

/// What the lists beside a recording of this repository say about it.
struct RecordingLists {
  /// Steps that the model knowingly answers otherwise, with the reason.
  var simpler: [Int: String] = [:]
  /// Operations and ends of paths that the model does not have.
  var passedOver: Set<String> = []
  /// What was done before a step and is not recorded.
  var unrecorded: [Int: [String]] = [:]

  init(directory: FilePath, recording: String, host: any HostFiles) {
    for (word, rest) in Self.lines("simpler.txt", directory, recording, host) {
      let steps = Self.steps(word)
      if steps.isEmpty { passedOver.insert(word) }
      for step in steps { simpler[step] = rest }
    }
    for (word, rest) in Self.lines("unrecorded.txt", directory, recording, host) {
      for step in Self.steps(word) { unrecorded[step, default: []].append(rest) }
    }
  }

  /// The lines `RECORDING STEPS REST` about one recording, or about all.
  private static func lines(
    _ list: String, _ directory: FilePath, _ recording: String, _ host: any HostFiles
  ) -> [(String, String)] {
    let text = (try? host.text(directory.appending(list))) ?? ""
    return text.split(separator: "\n").filter { !$0.hasPrefix("#") }.compactMap { line in
      let parts = line.split(separator: " ", maxSplits: 2).map(String.init)
      return parts.count == 3 && [recording, "*"].contains(parts[0]) ? (parts[1], parts[2]) : nil
    }
  }

  /// The numbers in `1,4-6`; none where it is a word.
  private static func steps(_ word: String) -> [Int] {
    word.split(separator: ",").flatMap { range -> [Int] in
      let bounds = range.split(separator: "-").map { Int($0) }
      guard let first = bounds.first ?? nil, let last = bounds.last ?? nil, first <= last else { return [] }
      return Array(first...last)
    }
  }
}
