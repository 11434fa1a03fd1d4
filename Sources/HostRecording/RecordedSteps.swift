import FoundationEssentials
import HostInterface

/// The steps of a recording of an implementation, a JSON object a line; each implementation has its own form of a step.
///
/// - Throws: ``HostInterface/Failure/Code/garbled`` with the number of the line that is no step, or that the check refuses.
public func recordedSteps<Step: Decodable>(
  in text: String, as form: Step.Type = Step.self, check: (Step) throws -> Void = { _ in }
) throws -> [Step] {
  let decoder = JSONDecoder()
  return try text.utf8.split(separator: UInt8(ascii: "\n")).enumerated().map { number, line in
    do {
      let step = try decoder.decode(form, from: Data(line))
      try check(step)
      return step
    } catch {
      throw Failure(.garbled, "line \(number + 1)", "is no step of a recording", answer: "\(error)")
    }
  }
}
