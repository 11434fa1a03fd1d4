import HostInterface
import SystemPackage

/// What SCST means by an error number, by the command that it answers with it.
enum SCSTErrors {
  /// Whether a command that failed has nothing left to do: a session that ended by itself cannot be closed, and an
  /// empty group that a killed run left behind is as good as a new one.
  static func isDone(_ command: ManagementWrite, _ failure: Failure) -> Bool {
    let (path, text) = (command.path.display, command.contents.display)
    if path.hasSuffix("/force_close") { return failure.code == .notFound }
    return failure.code == .exists && path.hasSuffix("/ini_groups/mgmt") && text.hasPrefix("create ")
  }

  /// The failure with what it means, and what to do.
  static func explained(_ failure: Failure, of command: ManagementWrite) -> Failure {
    var failure = failure
    let words = command.contents.display.split(whereSeparator: \.isWhitespace)
    let verb = words.first.map(String.init) ?? ""
    let shown = command.contents.display.trimmed.debugDescription
    failure.problem = "SCST refused \(shown) for \(command.path.display)"
    if failure.code == .stillRunning || failure.code == .interrupted {
      failure.problem = "SCST is at work on \(shown) for \(command.path.display), and goes on with it"
      return failure
    }
    guard let number = failure.errno else { return failure }
    let isOfDaemon = command.path.display.hasPrefix(SCSTPaths.driver + "/")
    if isOfDaemon, number == .noSuchFileOrDirectory || number == .notPermitted {
      failure.code = .unavailable
      failure.problem += ": it is not there; iscsi-scstd may have ended, and its targets with it"
      failure.remedy = "run `quartet start -i scst`, then the command again"
      return failure
    }
    // Secrets were checked before, and patterns are not checked at all: what is left is that it is there.
    if verb.hasPrefix("add_"), verb.hasSuffix("attribute"), number == .invalidArgument {
      failure.code = .exists
    }
    if verb.hasPrefix("del_"), verb.hasSuffix("attribute"), number == .invalidArgument {
      failure.code = .notFound
    }
    if let (meaning, remedy) = meaning(of: number, verb, command.path.display) {
      failure.problem += ": " + meaning
      failure.remedy = remedy ?? failure.remedy
    }
    return failure
  }

  private static func meaning(of number: Errno, _ verb: String, _ path: String) -> (String, String?)? {
    switch (verb, number) {
    case ("add_device", .fileExists): ("a device of that name or serial exists", "choose another scsiID")
    case ("add_device", .noSuchFileOrDirectory): ("the file or device is not there", nil)
    case ("add_device", .init(rawValue: 15)):
      ("it is no block device", "use the store vdisk_fileio, or leave the store out")
    case ("add_device", .resourceBusy):
      ("another program, a mount or another device of SCST has it open for itself", "release it first")
    case ("add_device", .permissionDenied):
      ("the block device is read-only", "make the logical unit readOnly, too")
    case ("add_device", .invalidArgument):
      ("a parameter is not one of this SCST's, or has no value that it takes", nil)
    case ("add_target", .fileExists): ("a target of that name exists, maybe in other case", nil)
    case ("del_target", .resourceBusy):
      ("an initiator logged in meanwhile", "run the command again; --force closes its session")
    case ("add_target_attribute", .invalidArgument), ("add_attribute", .invalidArgument):
      ("it is there already", nil)
    case ("del_target_attribute", .invalidArgument), ("del_attribute", .invalidArgument):
      ("it is not there", nil)
    case ("add", .fileExists): ("another program put something there meanwhile", "run the command again")
    case ("del", .resourceBusy), ("create", .resourceBusy):
      ("SCST could not stop all I/O within 90 s", "see which device does not answer")
    case (_, .init(rawValue: 57)):
      // EBADSLT
      ("another target that is enabled has this relative id", "give one of them another number")
    case (_, .noSuchFileOrDirectory):
      ("this SCST does not have \(path.split(separator: "/").last ?? "")", nil)
    case (_, .notPermitted), (_, .permissionDenied): nil
    case (_, .invalidArgument): ("it is no value that SCST takes", nil)
    default: nil
    }
  }
}
