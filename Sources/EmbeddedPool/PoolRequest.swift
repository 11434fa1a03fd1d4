import ExtentPool
import HostInterface

/// How large a volume of an embedded pool is to be.
package enum ExtentDemand: Codable, Sendable, Hashable {
  /// So many bytes, rounded up to whole extents.
  case bytes(UInt64)
  /// So many extents.
  case extents(UInt64)
}

/// What can be asked of an embedded pool, over the control socket or of the legs directly.
///
/// Names are checked by whoever carries a request out: it may come from anybody who may write to the socket.
package enum PoolRequest: Codable, Sendable, Hashable {
  /// Everything that there is to know.
  case report
  /// Makes a volume.
  case createVolume(name: String, size: ExtentDemand, policy: String)
  /// Grows a volume to a size.
  case extendVolume(name: String, size: ExtentDemand, policy: String)
  /// Shrinks a volume to a size; what is behind it is lost.
  case reduceVolume(name: String, size: ExtentDemand)
  /// Gives a volume another name.
  case renameVolume(name: String, to: String)
  /// Removes a volume.
  case removeVolume(name: String)
  /// Begins to move a segment of a volume, to a first extent or to the first place with room.
  case moveSegment(name: String, segment: Int, to: UInt32?)
  /// Begins to compare the legs.
  case verify
  /// Takes a leg back; `discard` gives up what it alone has.
  case attachLeg(address: String, discard: Bool)
  /// Goes on without a leg.
  case detachLeg(address: String)
  /// Puts another disk in the place of a leg; `wipe` loses what may be in use on it.
  case replaceLeg(old: String, new: String, wipe: Bool)
  /// Sets how many bytes a second a resync copies at most, until the pool is opened again; nil for no limit.
  case setResyncRate(bytes: Int?)
}

/// What a pool answers.
package enum PoolAnswer: Codable, Sendable {
  /// It is done; `changed` tells whether anything was to be done.
  case done(changed: Bool)
  /// It has begun, and goes on: ``PoolReport/job`` tells how far.
  case begun
  /// What there is.
  case report(PoolReport)
  /// It was not done.
  case failed(StoredFailure)

  /// A failure as an answer.
  package static func failed(_ failure: Failure) -> PoolAnswer { .failed(StoredFailure(failure)) }

  /// The answer, when it is none of a failure.
  package func orFailure() throws -> PoolAnswer {
    if case .failed(let stored) = self { throw stored.failure }
    return self
  }
}

/// A failure as it goes over the control socket.
package struct StoredFailure: Codable, Sendable, Hashable {
  private var code, subject, problem: String
  private var answer, remedy: String?

  /// Takes a failure apart.
  package init(_ failure: Failure) {
    (code, subject, problem) = (failure.code.description, failure.subject, failure.problem)
    (answer, remedy) = (failure.answer, failure.remedy)
  }

  /// The failure; one of a kind that this version does not know counts as refused.
  package var failure: Failure {
    Failure(
      Failure.Code.all.first { $0.description == code } ?? .refused, subject, problem, answer: answer,
      remedy: remedy)
  }
}
