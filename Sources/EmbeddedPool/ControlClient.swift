import Glibc
import HostInterface
import SystemPackage

/// Asks the process that serves a pool.
struct ControlClient {
  private let socket: UnixSocket
  private let path: FilePath
  /// The process that serves.
  let server: Int32?

  /// Connects; nil when no process serves the pool.
  init?(_ path: FilePath) throws {
    guard let socket = try UnixSocket.connect(to: path) else { return nil }
    (self.socket, self.path, server) = (socket, path, socket.peer)
  }

  /// Sends the one request of a connection, and waits for the answer.
  ///
  /// - Throws: ``Failure`` with code `timedOut` at the limit, `unavailable` when the process ends instead, `garbled` for
  ///   what is no answer.
  func ask(_ request: PoolRequest, limit: Duration) throws -> PoolAnswer {
    do { return try exchange(request, limit) } catch let failure as Failure
      where [.connectionReset, .brokenPipe].contains(failure.errno)
    { throw gone(failure.answer) }
  }

  private func exchange(_ request: PoolRequest, _ limit: Duration) throws -> PoolAnswer {
    let deadline = ContinuousClock.now + limit
    var rest = try ControlMessage.encode(request)[...]
    while !rest.isEmpty {
      guard socket.wait(for: Int32(POLLOUT), until: deadline) else { throw silent(limit) }
      rest = try rest.dropFirst(socket.write(rest))
    }
    var answer: [UInt8] = []
    while true {
      guard socket.wait(for: Int32(POLLIN), until: deadline) else { throw silent(limit) }
      guard let more = try socket.read(most: 64 << 10) else {
        if answer.isEmpty { throw gone(nil) }
        throw Failure(.garbled, "\(path)", "the connection ended before the answer did")
      }
      answer += more
      if let end = more.lastIndex(of: UInt8(ascii: "\n")) {
        guard end == more.count - 1, answer.dropLast().allSatisfy({ $0 != UInt8(ascii: "\n") }) else {
          throw Failure(.garbled, "\(path)", "there is something behind the answer")
        }
        return try ControlMessage.answer(answer)
      }
      guard answer.count <= ControlMessage.answerLimit else {
        throw Failure(.garbled, "\(path)", "the answer is longer than \(ControlMessage.answerLimit) bytes")
      }
    }
  }

  private func gone(_ answer: String?) -> Failure {
    Failure(
      .unavailable, "\(path)", "the process that served the pool has ended without an answer", answer: answer,
      remedy: "see `quartet pool status`, and run the same command again")
  }

  private func silent(_ limit: Duration) -> Failure {
    Failure(
      .timedOut, "\(path)", "the process that serves the pool did not answer within \(limit)",
      remedy: server.map { "see what process \($0) is doing" })
  }
}
