import HostInterface
import Quartet
import TargetCore

/// An implementation on a machine that may be used up by tests, and what the suite cannot do by itself.
///
/// The author of a backend makes one for a simulated machine, and one for a real machine where there is one.
public struct ConformanceWorld: Sendable {
  /// Logs an initiator in to a target; its session stays until the target closes it or ``ConformanceWorld/reset``.
  public typealias LogIn = @Sendable (_ initiator: ISCSIName, _ target: TargetName) async throws -> Void

  /// The backend.
  public var descriptor: BackendDescriptor
  /// Its settings.
  public var settings: [String: String]
  /// The machine.
  public var host: any Host
  /// Brings the implementation to where it runs and exports nothing, however it was left; backings stay.
  public var reset: @Sendable () async throws -> Void
  /// Remembers what the implementation exports; calling the answer brings that back, as making it anew would.
  ///
  /// Nil where that cannot be done, and then all is made anew before each fault.
  public var save: (@Sendable () -> @Sendable () -> Void)?
  /// Makes a file or block device of so many bytes, another one with every call; returns its absolute path.
  public var makeBacking: @Sendable (_ bytes: UInt64) async throws -> String
  /// Gives a backing another size, in bytes.
  public var resizeBacking: @Sendable (_ path: String, _ bytes: UInt64) async throws -> Void
  /// Ends the implementation at once, as a crash does, until ``reset``; nil when it cannot be done.
  public var kill: (@Sendable () -> Void)?
  /// Logs an initiator in; nil when there is none.
  public var logIn: LogIn?
  /// Portals that can be opened, at least two for the cases about portals; none of them is open after ``reset``.
  public var portals: [Portal]
  /// Values to try of target attributes, two of each, as they are read back.
  public var targetAttributes: [String: [String]]
  /// Values to try of attributes of logical units, two of each, as they are read back.
  public var unitAttributes: [String: [String]]
  /// Values to try of fields for which the suite has none that fit, two of each, for a disk on a file.
  public var unitValues: [UnitField: [String]]
  /// Fields that the implementation takes and does not tell.
  public var untoldFields: Set<UnitField>
  /// Attributes of targets and logical units that the implementation takes and does not tell.
  public var untoldAttributes: Set<String>

  /// Of how many calls one is disturbed, where a case disturbs every call; 1 is all of them.
  ///
  /// Where ``reset`` takes long, more makes the suite bearable: cases begin at different calls.
  public var stride: Int

  /// A world in which nothing is known but how to reset it and how to make backings.
  public init(
    _ descriptor: BackendDescriptor, settings: [String: String] = [:], on host: any Host,
    reset: @escaping @Sendable () async throws -> Void,
    makeBacking: @escaping @Sendable (_ bytes: UInt64) async throws -> String,
    resizeBacking: @escaping @Sendable (_ path: String, _ bytes: UInt64) async throws -> Void
  ) {
    self.descriptor = descriptor
    self.settings = settings
    self.host = host
    self.reset = reset
    self.makeBacking = makeBacking
    self.resizeBacking = resizeBacking
    portals = []
    targetAttributes = [:]
    unitAttributes = [:]
    unitValues = [:]
    untoldFields = []
    untoldAttributes = []
    stride = 1
  }
}
