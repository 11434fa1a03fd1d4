import ArgumentParser
import HostInterface
import IETSimulator
import SystemPackage

/// `dev replay`: recordings of a real implementation, played into its model.
struct ReplayCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay", abstract: "Play recordings of a real implementation into its model.",
    discussion: """
      Prints the first difference of each file, and ends with 1 when there is one. Fixtures/SCST/README.md and its \
      neighbours say what a recording looks like. Steps that the model knowingly answers otherwise stand in \
      simpler.txt there; they count for those recordings alone.

      EXAMPLES
        swift run dev replay SCST my-scst/*.jsonl
        swift run dev replay IET --iet-version 1.4.20 my-iet/lifecycle.jsonl
      """)

  @Option(
    help: "The version of IET that answers: \(IETVersion.allCases.map(\.rawValue).joined(separator: ", ")).")
  var ietVersion: String?

  @Flag(help: "Print all differences.")
  var all = false

  @Argument(help: "SCST, IET, STGT or LIO.")
  var implementation: String

  @Argument(help: "The recordings.")
  var files: [String]

  func run() async throws {
    guard let model = Recording.Model(named: implementation) else {
      throw ValidationError(
        "there is no model of \(implementation), only of "
          + Recording.Model.allCases.map(\.rawValue).joined(separator: ", "))
    }
    let version = try ietVersion.map { text in
      guard let version = IETVersion(rawValue: text) else {
        throw ValidationError("\(text) is none of the versions")
      }
      return version
    }
    var isSame = true
    for file in files {
      let recording = Recording(model: model, path: FilePath(file), version: version)
      do {
        let outcome = try await recording.play()
        for difference in all ? outcome.differences[...] : outcome.differences.prefix(1) {
          print("\(file): step \(difference.step): \(difference)")
        }
        if outcome.differences.isEmpty {
          let known = outcome.known.isEmpty ? "" : ", \(outcome.known.count) known to be simpler in the model"
          print("\(file): \(outcome.steps) steps as recorded\(known)")
        } else {
          isSame = false
        }
      } catch let failure as Failure {
        print("\(file): \(failure)")
        isSame = false
      }
    }
    if !isSame { throw ExitCode.failure }
  }
}
