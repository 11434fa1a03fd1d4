import HostInterface

/// One message between a guest's agent and the host, in either direction.
///
/// On the wire: the payload's length (4 bytes, little endian), the kind (1 byte), the command's number
/// (4 bytes, little endian; 0 where no command is meant), the payload.
public struct Frame: Sendable, Hashable {
  /// What a message says.
  public enum Kind: UInt8, Sendable {
    /// From the guest: the agent is ready.
    case ready = 1
    /// To the guest: start a program; the payload is a ``GuestCommand``.
    case run
    /// To the guest: kill the command and its process group.
    case kill
    /// To the guest: write file systems back and switch the machine off.
    case powerOff
    /// From the guest: bytes that the command wrote to standard output.
    case output
    /// From the guest: bytes that the command wrote to standard error.
    case errors
    /// From the guest: the command ended; the payload is its exit status, 4 bytes, little endian.
    case exited
  }

  /// The longest payload that is sent or taken, in bytes.
  public static let payloadLimit = 1 << 20
  private static let headerSize = 9

  /// What the message says.
  public var kind: Kind
  /// The command that it is about.
  public var command: UInt32
  /// What belongs to the kind.
  public var payload: [UInt8]

  /// A message.
  public init(_ kind: Kind, command: UInt32 = 0, payload: [UInt8] = []) {
    self.kind = kind
    self.command = command
    self.payload = payload
  }

  /// The message as it is sent.
  public var bytes: [UInt8] {
    UInt32(truncatingIfNeeded: payload.count).littleEndianBytes + [kind.rawValue] + command.littleEndianBytes
      + payload
  }

  /// Takes the first whole message out of what has arrived; nil when more has to arrive first.
  ///
  /// - Throws: ``Failure/Code/garbled`` when the bytes are no message; nothing after them can be understood.
  public static func take(from arrived: inout [UInt8]) throws -> Frame? {
    guard arrived.count >= headerSize else { return nil }
    let count = UInt32(littleEndianBytes: arrived[0..<4])
    guard count <= payloadLimit, let kind = Kind(rawValue: arrived[4]) else {
      throw Failure(
        .garbled, "guest agent", "a message of kind \(arrived[4]) and \(count) bytes is none that is known")
    }
    let end = headerSize + Int(count)
    guard arrived.count >= end else { return nil }
    let frame = Frame(
      kind, command: UInt32(littleEndianBytes: arrived[5..<9]), payload: Array(arrived[headerSize..<end]))
    arrived.removeFirst(end)
    return frame
  }
}

extension UInt32 {
  /// The four bytes, the least significant first.
  public var littleEndianBytes: [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: self >> ($0 * 8)) } }

  /// The number whose bytes these are, the least significant first.
  public init(littleEndianBytes bytes: some Sequence<UInt8>) {
    self = zip(0..., bytes.prefix(4)).reduce(0) { $0 | UInt32($1.1) << ($1.0 * 8) }
  }
}
