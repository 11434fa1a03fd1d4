import Glibc
import HostInterface
import SystemPackage

extension LocalHost {
  /// Writes with one write(2) on a thread of its own, which stays in the kernel as long as the kernel wants.
  ///
  /// Signals do not reach that thread: a write of SCST's that a signal interrupts is carried out all the same, and
  /// nobody learns how it ended.
  public func write(_ bytes: [UInt8], to path: FilePath, limit: Duration) async throws {
    let write = BlockingWrite(host: self, bytes: bytes, path: path)
    guard write.start() else { return try self.write(bytes, to: path) }
    let timer = Task {
      if (try? await Task.sleep(for: limit)) != nil { write.ending.settle(.expired) }
    }
    defer { timer.cancel() }
    let ending = await withTaskCancellationHandler {
      await write.ending.value()
    } onCancel: {
      write.ending.settle(.cancelled)
    }
    switch ending {
    case .ended(let result): try result.get()
    case .expired:
      throw Failure(
        .stillRunning, "\(path)", "the kernel is still at work on the write after \(limit)",
        remedy: "see whether a device that it waits for answers, then look at the state again")
    case .cancelled:
      throw Failure(
        .interrupted, "\(path)", "interrupted while the kernel is at work on the write, which it goes on with"
      )
    }
  }
}

/// One write(2) on a thread of its own.
private final class BlockingWrite: Sendable {
  enum Ending: Sendable {
    case ended(Result<Void, any Error>)
    case expired
    case cancelled
  }

  let ending = FirstValue<Ending>()
  private let host: LocalHost
  private let bytes: [UInt8]
  private let path: FilePath

  init(host: LocalHost, bytes: [UInt8], path: FilePath) {
    self.host = host
    self.bytes = bytes
    self.path = path
  }

  /// Starts the thread; false where there is none to be had.
  func start() -> Bool {
    let retained = Unmanaged.passRetained(self)
    // A new thread inherits the mask of the one that starts it.
    var all = sigset_t()
    var before = sigset_t()
    sigfillset(&all)
    pthread_sigmask(SIG_BLOCK, &all, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    var id = pthread_t()
    let started = pthread_create(
      &id, nil,
      { argument in
        // Sound: the pointer is the retained write that `start` passed, consumed here exactly once.
        if let argument { Unmanaged<BlockingWrite>.fromOpaque(argument).takeRetainedValue().run() }
        return nil
      }, retained.toOpaque())
    guard started == 0 else {
      retained.release()
      return false
    }
    pthread_detach(id)
    return true
  }

  private func run() {
    ending.settle(.ended(Result { try host.write(bytes, to: path) }))
  }
}
