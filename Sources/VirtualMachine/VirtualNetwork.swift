import Glibc
import HostInterface
import SystemPackage

/// A network of guests, without any of the host's own: a switch in this process.
///
/// The guest at port N has the address 10.77.0.N. A frame that a guest does not take in time is lost, as on a
/// real switch.
public final class VirtualNetwork: Sendable {
  /// A place on the network, for one guest at a time.
  public final class Port: Sendable {
    /// The number, from 1.
    public let number: UInt8
    let ours: FileDescriptor
    let theirs: FileDescriptor
    /// Keeps the switch running.
    private let network: VirtualNetwork

    fileprivate init(_ number: UInt8, _ network: VirtualNetwork) {
      self.number = number
      self.network = network
      (ours, theirs) = network.pairs[Int(number) - 1]
    }

    /// The guest's address.
    public var address: String { "10.77.0.\(number)" }

    /// The guest's Ethernet address; locally administered, with the port's number in its last byte.
    var hardwareAddress: String {
      (VirtualNetwork.prefix + [number]).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
        .joined(separator: ":")
    }
  }

  fileprivate static let prefix: [UInt8] = [0x52, 0x54, 0x00, 0x4d, 0x00]
  /// The longest frame: 64 KiB with the offloads that virtio allows.
  private static let frameLimit = 1 << 17

  fileprivate let pairs: [(ours: FileDescriptor, theirs: FileDescriptor)]
  private let lifeline: (ours: FileDescriptor, theirs: FileDescriptor)

  /// Makes a network of 1 to 8 ports.
  public init(ports: Int) throws {
    guard (1...8).contains(ports) else {
      throw Failure(.invalid, "virtual network", "has 1 to 8 ports (\(ports))")
    }
    lifeline = try socketPair()
    pairs = try (0..<ports).map { _ in try socketPair(SOCK_DGRAM) }
    for file in pairs.flatMap({ [$0.ours, $0.theirs] }) {
      var size: Int32 = 4 << 20
      // Beyond what an ordinary user may have it answers EPERM, and the default does.
      setsockopt(file.rawValue, SOL_SOCKET, SO_SNDBUFFORCE, &size, socklen_t(MemoryLayout<Int32>.size))
    }
    let (pairs, end) = (pairs, lifeline.theirs)
    startThread { Self.forward(between: pairs, until: end) }
  }

  deinit { try? lifeline.ours.close() }

  /// The port of this number, from 1; nil when there is none.
  public func port(_ number: Int) -> Port? {
    (1...pairs.count).contains(number) ? Port(UInt8(number), self) : nil
  }

  private static func forward(
    between pairs: [(ours: FileDescriptor, theirs: FileDescriptor)], until end: FileDescriptor
  ) {
    let ends = pairs.map(\.ours.rawValue)
    var frame = [UInt8](repeating: 0, count: frameLimit)
    while true {
      var wanted = (ends + [end.rawValue]).map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
      guard poll(&wanted, nfds_t(wanted.count), -1) > 0 else { continue }
      if let last = wanted.last, last.revents != 0 { break }
      for (source, answer) in zip(ends, wanted) where answer.revents != 0 {
        let count = recv(source, &frame, frame.count, Int32(MSG_DONTWAIT))
        guard count >= 12 else { continue }
        for target in targets(of: frame, among: ends) where target != source {
          send(target, frame, count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
        }
      }
    }
    for pair in pairs { for file in [pair.ours, pair.theirs] { try? file.close() } }
    try? end.close()
  }

  /// The port that the destination, the first six bytes, names; all for a broadcast.
  private static func targets(of frame: [UInt8], among ends: [Int32]) -> ArraySlice<Int32> {
    let number = Int(frame[5])
    guard frame.starts(with: prefix), (1...ends.count).contains(number) else { return ends[...] }
    return ends[(number - 1)...(number - 1)]
  }
}
