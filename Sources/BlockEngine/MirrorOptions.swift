/// How a mirror is opened.
package struct MirrorOptions {
  /// Whether it may be opened although a leg is missing, which is then behind.
  package var allowsMissingLegs = false
  /// Legs whose diverged data are to be lost: they are brought up to date as a whole.
  package var discarding: Set<Int> = []
  /// A leg that does not answer for this long is dropped.
  package var stallLimit: Duration = .seconds(10)
  /// For how long a leg without a lock counts as this process's own, before that is looked at again.
  package var ownTime: Duration = .seconds(1)
  /// How many bytes a second a resync copies at most; nil for as many as it can.
  package var resyncRate: Int?
  /// How many extents the activity log holds: what is resynced after a crash is at most that.
  package var activityLogCapacity = 1016
  /// Told what happens, in words, from the opening on: for a log, and for tests.
  package var onEvent: (String) -> Void = { _ in }
  /// What is broken on purpose; empty but for tests that show that a simulation finds it.
  package var defects: MirrorDefects = []

  /// The ordinary options.
  package init() {}
}

/// Ways in which a mirror can be broken on purpose, so that the simulation can show that it finds them.
package struct MirrorDefects: OptionSet {
  package let rawValue: Int
  package init(rawValue: Int) { self.rawValue = rawValue }

  /// The bitmap is written after the acknowledgement of what it has to cover.
  package static let lateBitmap = MirrorDefects(rawValue: 1)
  /// Superblocks have one copy.
  package static let singleSuperblock = MirrorDefects(rawValue: 2)
  /// Nothing is entered into the activity log.
  package static let noActivityLog = MirrorDefects(rawValue: 4)
  /// Writes of the same blocks are in flight together.
  package static let unorderedWrites = MirrorDefects(rawValue: 8)
  /// When a leg is dropped, it is forgotten that it may have lost what was not flushed.
  package static let forgottenCache = MirrorDefects(rawValue: 16)
  /// While the loss of a leg is made durable, extents leave the activity log that the others have flushed.
  package static let forgetfulLog = MirrorDefects(rawValue: 64)
  /// A leg that is being brought up to date is asked for holes.
  package static let holesOfAnyLeg = MirrorDefects(rawValue: 32)
  /// A disk that replaces another is read before it has everything.
  package static let unsyncedReplacement = MirrorDefects(rawValue: 128)
  /// When a disk replaces another, it is not marked that it lacks everything.
  package static let unmarkedReplacement = MirrorDefects(rawValue: 256)
  /// Nobody looks whether another process has taken a leg that has no lock.
  package static let unfenced = MirrorDefects(rawValue: 1024)
  /// A disk that was replaced is taken for the leg that it was.
  package static let forgottenReplacement = MirrorDefects(rawValue: 512)
}

/// How a leg of a mirror does.
package enum LegStatus: String, Sendable, Codable {
  /// It has everything.
  case upToDate = "up to date"
  /// It is being brought up to date.
  case syncing
  /// It failed, or did not answer, and misses what was written since.
  case dropped
  /// It was not there when the mirror was opened.
  case missing
  /// The mirror is not open: it will be brought up to date when it is.
  case outdated
  /// The mirror is not open: it was written without the others, and they without it.
  case diverged
}
