import HostInterface
import Simulation

/// What a tool printed, and its exit status.
struct Answer: Sendable, Hashable {
  var status: Int32 = 0
  var output = ""
  var errors = ""

  static let done = Answer()

  static func failed(_ status: Int32, _ errors: String, output: String = "") -> Answer {
    Answer(status: status, output: output, errors: errors)
  }

  var outcome: SimulatedOutcome {
    .ended(CommandResult(status: status, output: Array(output.utf8), errors: errors))
  }
}
