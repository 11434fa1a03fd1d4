import HostInterface

/// What is said to drbdadm(8), and how it answers.
enum DRBD {
  /// Its messages in English.
  static let environment = ["LC_ALL": "C"]

  /// A command about a resource.
  static func command(_ words: [Text], limit: Duration = .seconds(60)) -> Command {
    Command(["drbdadm"] + words, environment: environment, limit: limit)
  }

  /// The operation that runs `drbdadm VERB RESOURCE`.
  static func run(_ verb: Text, _ name: ResourceName) -> Operation {
    run(verb, Text(name.description))
  }

  /// The same for one volume, `RESOURCE/NUMBER`.
  static func run(_ verb: Text, _ place: Text) -> Operation { .run(command([verb, place])) }

  /// What an answer's text means; the statuses are 10 or 11 for most of it (drbdsetup.c, recordings).
  private static let meanings: [(text: String, code: Failure.Code, problem: String, remedy: String?)] = [
    (
      "Multiple primaries not allowed", .refused, "another node is primary",
      "demote it there first; two nodes that write at once destroy the data"
    ),
    (
      "Need access to UpToDate data", .refused, "no copy that is up to date can be reached",
      "connect it to the node that has the data; for new disks begin the first sync"
    ),
    (
      "--discard-my-data not allowed when primary", .refused, "is primary, whose data cannot be thrown away",
      "demote it first"
    ),
    (
      "Need to be StandAlone", .refused, "the disks have data that is known already, or are not connected",
      nil
    ),
    (
      "This might destroy existing data", .inUse,
      "its disk has data on it, though no signature that is known",
      "choose another disk, or say --wipe if it may be erased"
    ),
    ("No valid meta data found", .notFound, "has no metadata on its disk", "create the metadata first"),
    ("not defined in your config", .notFound, "is not described by any file of this node", nil),
    ("No such resource", .notFound, "is not up", "bring it up first"),
    ("Device minor not allocated", .notFound, "is not up", "bring it up first"),
    (
      "Local address(port) already in use", .exists,
      "is connected already, or another resource uses its port", nil
    ),
    ("Exclusive open failed", .inUse, "its disk is in use", "see who has it: LVM below DRBD, a mount"),
    ("Device or resource busy", .inUse, "its disk is in use", "see who has it: LVM below DRBD, a mount"),
    ("Parse error", .refused, "a file in /etc/drbd.d is not understood by this generation of DRBD", nil),
  ]

  /// Reads the answer of a command.
  static func verdict(_ subject: String, _ result: CommandResult) -> Verdict {
    guard result.status != 0 else { return .done }
    let text = result.errors + String(decoding: result.output, as: UTF8.self)
    if text.contains("Device is held open by someone") {
      return .busy(
        Failure(
          .inUse, subject, "its device is open", answer: text.trimmed,
          remedy: "deactivate the volumes on it, stop targets and unmount file systems that use it"))
    }
    if let meaning = meanings.first(where: { text.contains($0.text) }) {
      return .failed(
        Failure(meaning.code, subject, meaning.problem, answer: text.trimmed, remedy: meaning.remedy))
    }
    return .failed(
      Failure(.refused, subject, "failed with status \(result.status)", answer: text.trimmed))
  }
}

extension VolumeDriver {
  /// Reads the answers of the tools that the plans use.
  static let judge: Judge = { operation, answer in
    guard case .run(let command) = operation, case .success(.command(let result)) = answer else {
      return Executor.plainJudge(operation, answer)
    }
    switch command.argv.first?.display {
    case "drbdadm": return DRBD.verdict(operation.display, result)
    case "lvm": return LVM.verdict(operation.display, result)
    default: return Executor.plainJudge(operation, answer)
    }
  }
}
