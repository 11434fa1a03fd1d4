import HostInterface

/// What is said to lvm(8), and how it answers.
enum LVM {
  /// Its messages in English, and none about descriptors that it inherits.
  static let environment = ["LC_ALL": "C", "LVM_SUPPRESS_FD_WARNINGS": "1"]

  /// A command; LVM waits for its own lock, so the limit is a minute.
  static func command(_ words: [Text], limit: Duration = .seconds(60)) -> Command {
    Command(["lvm"] + words, environment: environment, limit: limit)
  }

  /// Reads the answer of a command: status 5 is every failure, so that the text decides what kind it is.
  static func verdict(_ subject: String, _ result: CommandResult) -> Verdict {
    guard result.status != 0 else { return .done }
    let text = result.errors
    func failure(_ code: Failure.Code, _ problem: String, _ remedy: String? = nil) -> Failure {
      Failure(code, subject, problem, answer: text.trimmed, remedy: remedy)
    }
    if text.contains(" in use") || text.contains("Device or resource busy") || text.contains("is used by") {
      return .busy(failure(.inUse, "is in use", "see who has it open: mounts, targets, other volumes on it"))
    }
    if text.contains("rejected by filter config") || text.contains("with duplicates") {
      return .failed(
        failure(
          .refused, "LVM's filter and the disks of DRBD do not go together",
          "see `quartet pool filter`, which shows and applies the one that DRBD needs; a disk that DRBD does not use "
            + "is accepted in global_filter by hand"))
    }
    if text.contains("insufficient free space") || text.contains("Insufficient free space") {
      return .failed(failure(.refused, "the pool has not enough free extents", "extend the pool"))
    }
    if text.contains("already exists") { return .failed(failure(.exists, "exists already")) }
    if text.contains("not found") || text.contains("Failed to find") {
      return .failed(failure(.notFound, "does not exist, or is not visible here"))
    }
    return .failed(failure(.refused, "was refused"))
  }
}
