import HostInterface
import SystemPackage

/// What a daemon does with one request on its socket.
public enum SimulatedReply: Sendable, Hashable {
  /// It sends these bytes and closes; none at all is what a client of a daemon that dies sees.
  case bytes([UInt8])
  /// It neither answers nor closes.
  case silence
}

/// A command as a program of the simulated machine gets it.
public struct SimulatedInvocation: Sendable, Hashable {
  /// The program as it was called, and its arguments.
  public var argv: [String]
  /// Variables added to the environment.
  public var environment: [String: String]
  /// Standard input.
  public var input: [UInt8]

  /// The program's name without its directory.
  public var program: String { argv.first?.split(separator: "/").last.map(String.init) ?? "" }
}

/// What became of a command.
public enum SimulatedOutcome: Sendable, Hashable {
  /// It ended.
  case ended(CommandResult)
  /// It does not end by itself; the host kills it at its limit.
  case hangs
}

/// A model of a daemon, a kernel module or a tool that a ``SimulatedHost`` has.
///
/// The host calls it from any task, never while it holds its own lock, so that a model may look at the host's files,
/// change them, and speak to other models through it.
public protocol SimulatedService: Sendable {
  /// The names of the programs that come with it; they are in /usr/sbin.
  var programs: [String] { get }
  /// Called once, when the machine has been made: puts files into its tree and opens sockets.
  func attach(to host: SimulatedHost)
  /// Takes one request on a socket that it opened by ``SimulatedHost/listen(at:for:)``.
  func exchange(_ request: [UInt8], at path: FilePath, on host: SimulatedHost) -> SimulatedReply
  /// Runs one of its programs; nil when another model is meant.
  func run(_ invocation: SimulatedInvocation, on host: SimulatedHost) -> SimulatedOutcome?
}

extension SimulatedService {
  /// No programs.
  public var programs: [String] { [] }
  /// Adds nothing.
  public func attach(to host: SimulatedHost) {}
  /// Closes the connection.
  public func exchange(_ request: [UInt8], at path: FilePath, on host: SimulatedHost) -> SimulatedReply {
    .bytes([])
  }
  /// Means another model.
  public func run(_ invocation: SimulatedInvocation, on host: SimulatedHost) -> SimulatedOutcome? { nil }
}
