import Glibc
import LinuxBlockDevices
import SystemPackage
import Testing

/// A server of a few lines, on the loop of its client, that says whatever a test wants it to say.
final class FakeServer {
  let uri: String
  private let loop: AIOLoop
  private let listener: Int32
  private var watches: [DescriptorWatch] = []
  private var connections: [Int32] = []
  private let hello: [UInt8]
  private let answer: ([UInt8]) -> [UInt8]?

  /// What a server of the old style begins with: magic numbers, size, and flags for flush and FUA.
  ///
  /// Then it takes requests (NBD protocol, "Oldstyle negotiation").
  static func hello(size: UInt64) -> [UInt8] {
    Array("NBDMAGIC".utf8) + [0, 0, 0x42, 0x02, 0x81, 0x86, 0x12, 0x53] + bytes(size)
      + bytes(UInt32(1 | 4 | 8))
      + [UInt8](repeating: 0, count: 124)
  }

  /// A simple reply: its magic number, the error, and the cookie of the request.
  static func reply(to request: [UInt8], error: UInt32 = 0) -> [UInt8] {
    bytes(UInt32(0x6744_6698)) + bytes(error) + (request.count >= 16 ? Array(request[8..<16]) : [])
  }

  /// - Parameters:
  ///   - hello: What it sends at once.
  ///   - answer: What it sends for the bytes that came; nil to close the connection.
  init(
    in scratch: Scratch, on loop: AIOLoop, name: String = "fake", hello: [UInt8],
    answer: @escaping ([UInt8]) -> [UInt8]?
  ) throws {
    self.loop = loop
    self.hello = hello
    self.answer = answer
    let socket = scratch.directory.appending(name)
    uri = "nbd+unix:///?socket=\(socket)"
    unlink(socket.string)
    listener = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: socket.string.utf8) }
    let bound = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    try #require(bound == 0 && listen(listener, 5) == 0)
    watches = [loop.watch(listener, for: .input) { [weak self] _ in self?.accept() }]
  }

  deinit {
    for watch in watches { watch.cancel() }
    for descriptor in connections + [listener] { close(descriptor) }
  }

  private func accept() {
    let descriptor = Glibc.accept(listener, nil, nil)
    guard descriptor >= 0 else { return }
    connections.append(descriptor)
    send(descriptor, hello)
    var watch: DescriptorWatch?
    watch = loop.watch(descriptor, for: .input) { [weak self] _ in
      var bytes = [UInt8](repeating: 0, count: 64 << 10)
      let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
      if count > 0, let self, let answer = answer(Array(bytes.prefix(count))) {
        send(descriptor, answer)
      } else {
        watch?.cancel()
        shutdown(descriptor, Int32(SHUT_RDWR))
      }
    }
    if let watch { watches.append(watch) }
  }

  private func send(_ descriptor: Int32, _ bytes: [UInt8]) {
    _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
  }
}

private func bytes<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
  withUnsafeBytes(of: value.bigEndian) { Array($0) }
}
