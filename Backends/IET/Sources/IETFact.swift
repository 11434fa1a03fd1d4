import TargetCore

/// What a read leaves for the planner, by the keys of ``LiveState/facts``.
enum IETFact {
  /// Whether the list of logical units tells block sizes, as from 1.4.20 on; absent where there is none to see it by.
  static let blockSizes = "block sizes"

  /// How often an account is there, if more than once.
  static func copies(of user: CHAPUser, _ name: TargetName?) -> String {
    "copies \(name?.description ?? "discovery") \(user)"
  }

  /// The path of an access file, or the one that it would have.
  static func path(_ file: AccessFile.Kind) -> String { "path \(file.rawValue)" }

  /// Present when the file is absent or ends in a line for all: whoever is not named in it is let in.
  static func isOpen(_ file: AccessFile.Kind) -> String { "open \(file.rawValue)" }

  /// Present when there is an initiators.deny, which turns round what initiators.allow means.
  static let hasDeny = "deny"

  /// The target's own line that decides about it; absent when a line for all does, or none.
  static func own(_ file: AccessFile.Kind, _ target: TargetName) -> String {
    "own \(file.rawValue) \(target.description.asciiLowercased)"
  }

  /// Present when a file has any line of a target.
  static func names(_ file: AccessFile.Kind, _ target: TargetName) -> String {
    "names \(file.rawValue) \(target)"
  }

  /// Who was let in to the target when it was read, as a line of initiators.allow.
  static func access(_ target: TargetName) -> String { "access \(target)" }

  /// The items by which initiators.deny shuts some initiators out of a target that is open to the others.
  static func exceptions(_ target: TargetName) -> String { "except \(target)" }
}
