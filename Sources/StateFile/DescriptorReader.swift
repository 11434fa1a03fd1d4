import Glibc
import HostInterface
import SystemPackage

/// Reads an open descriptor to its end, within limits of size and time.
struct DescriptorReader {
  private let number: Int32
  private var name: String { "descriptor \(number)" }

  init(_ number: Int32) { self.number = number }

  func bytes(atMost size: Int, limit: Duration) throws -> [UInt8] {
    let descriptor = FileDescriptor(rawValue: number)
    let end = ContinuousClock.now + limit
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: size + 1)
    while bytes.count <= size {
      try waitForInput(until: end)
      let count: Int
      do {
        count = try buffer.withUnsafeMutableBytes { try descriptor.read(into: $0) }
      } catch let errno as Errno {
        throw Failure.system(
          errno, name, "cannot be read", remedy: "open it, as with 3< /etc/quartet/NAME.secret")
      }
      if count == 0 { return bytes }
      bytes += buffer.prefix(count)
    }
    throw Failure(.invalid, name, "has too much for a secret, at most \(size) bytes are allowed")
  }

  private func waitForInput(until end: ContinuousClock.Instant) throws {
    while true {
      let left = (end - .now).components
      guard left.seconds >= 0, left.attoseconds >= 0 else {
        throw Failure(
          .timedOut, name, "does not come to its end", remedy: "let its writer close it after the secret")
      }
      var request = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
      let milliseconds = left.seconds * 1000 + left.attoseconds / 1_000_000_000_000_000
      let count = poll(&request, 1, Int32(milliseconds) + 1)
      // What poll(2) reports besides input, such as a closed descriptor, read(2) explains.
      if count > 0 { return }
      if count < 0, Errno(rawValue: errno) != .interrupted {
        throw Failure.system(Errno(rawValue: errno), name, "cannot be waited for")
      }
    }
  }
}
