import BlockEngine
import Glibc
import HostInterface
import LinuxBlockDevices
import Synchronization
import SystemPackage
import Testing

/// An engine that counts, and says when it is given up.
private final class Counting {
  let loop: AIOLoop
  var count = 0
  let thread = pthread_self()
  let onEnd: @Sendable () -> Void

  init(_ loop: AIOLoop, onEnd: @escaping @Sendable () -> Void = {}) {
    self.loop = loop
    self.onEnd = onEnd
  }

  deinit { onEnd() }
}

@Suite struct EngineThreadTests {
  @Test func bodiesOfManyThreadsRunOnOneAndInOrder() async throws {
    let thread = try EngineThread { Counting($0) }
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<8 {
        group.addTask {
          for _ in 0..<500 {
            thread.post { engine in
              #expect(pthread_equal(engine.thread, pthread_self()) != 0)
              engine.count += 1
            }
          }
        }
      }
    }
    // What comes after them is called after them.
    let count: Int = try await thread.answer { engine, answer in answer(.success(engine.count)) }
    #expect(count == 4000)
    here { thread.end() }
  }

  @Test func answersComeFromTimersAndFilesToo() throws {
    let path = try scratchFile(1 << 20)
    defer { unlink(path.string) }
    let thread = try EngineThread { try AIOFile(path, on: $0) }
    for block in 0..<50 {
      let read: [UInt8] = try thread.answer { file, answer in
        let buffer = BlockBuffer([UInt8](repeating: UInt8(block), count: 4096))
        file.submit(.write(offset: block * 4096, buffer, durable: false)) { failure in
          if let failure { return answer(.failure(failure)) }
          let found = BlockBuffer(count: 4096)
          file.submit(.read(offset: block * 4096, found)) { failure in
            answer(failure.map { .failure($0) } ?? .success(Array(found.bytes)))
          }
        }
      }
      #expect(read == [UInt8](repeating: UInt8(block), count: 4096))
    }
    thread.end()
    // It has let go of the file.
    _ = try AIOFile(path, on: AIOLoop())
  }

  @Test func whatCannotBeMadeIsTold() throws {
    #expect {
      _ = try EngineThread { try AIOFile("/var/tmp/quartet-test-none", on: $0) }
    } throws: {
      ($0 as? Failure)?.code == .notFound
    }
  }

  @Test func theEngineIsGivenUpAndWhoeverWaitsIsTold() throws {
    let isUnavailable = Atomic(false)
    let gone = Semaphore()
    let thread = try EngineThread { Counting($0) { gone.signal() } }
    let waits = Semaphore()
    let told = Semaphore()
    let waiter = Thread {
      do {
        let _: Int = try thread.answer { engine, answer in
          // An answer that would come much later.
          engine.loop.schedule(after: .seconds(3600)) { answer(.success(1)) }
          waits.signal()
        }
      } catch {
        isUnavailable.store((error as? Failure)?.code == .unavailable, ordering: .sequentiallyConsistent)
      }
      told.signal()
    }
    waits.wait()
    thread.end()
    told.wait()
    gone.wait()
    waiter.join()
    let wasTold = isUnavailable.load(ordering: .sequentiallyConsistent)
    #expect(wasTold)
    thread.end()
    #expect(throws: Failure.self) { let _: Int = try thread.answer { _, answer in answer(.success(1)) } }
  }

  /// The loop sleeps in the kernel now and then, and is woken each time.
  @Test func aSleepingThreadIsWoken() throws {
    let thread = try EngineThread { Counting($0) }
    for round in 0..<300 {
      if round % 3 == 0 { usleep(1000) }
      let count: Int = try thread.answer { engine, answer in
        engine.count += 1
        answer(.success(engine.count))
      }
      #expect(count == round + 1)
    }
    thread.end()
  }

  /// Blocks, which asynchronous code does not do otherwise.
  private func here(_ body: () -> Void) { body() }
}

/// A thread of one test.
private final class Thread {
  private var id = pthread_t()

  init(_ body: @escaping @Sendable () -> Void) {
    let box = Unmanaged.passRetained(Box(body))
    pthread_create(
      &id, nil,
      { argument in
        if let argument { Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body() }
        return nil
      }, box.toOpaque())
  }

  func join() { pthread_join(id, nil) }

  private final class Box {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
}

/// A file of zeroes on a disk.
private func scratchFile(_ size: Int) throws -> FilePath {
  var template = Array("/var/tmp/quartet-test-XXXXXX".utf8CString)
  let file = mkstemp(&template)
  try #require(file >= 0)
  defer { close(file) }
  try #require(ftruncate(file, off_t(size)) == 0)
  return FilePath(platformString: template)
}
