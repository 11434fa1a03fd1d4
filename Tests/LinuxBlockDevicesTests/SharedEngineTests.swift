import BlockEngine
import CLibAIO
import Glibc
import HostInterface
import Synchronization
import SystemPackage
import Testing

@testable import LinuxBlockDevices

/// An engine that counts, and says when it is given up.
private final class Counting {
  let loop: AIOLoop
  var count = 0
  let onEnd: @Sendable () -> Void

  init(_ loop: AIOLoop, onEnd: @escaping @Sendable () -> Void = {}) {
    self.loop = loop
    self.onEnd = onEnd
  }

  deinit { onEnd() }
}

@Suite struct SharedEngineTests {
  @Test func bodiesOfManyThreadsAreCalledOneAtATime() async throws {
    let engine = try SharedEngine { Counting($0) }
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<8 {
        group.addTask {
          for _ in 0..<500 {
            engine.post { counting in
              // Two at once would lose some.
              let count = counting.count
              sched_yield()
              counting.count = count + 1
            }
          }
        }
      }
    }
    let count: Int = try engine.answer { counting, answer in answer(.success(counting.count)) }
    #expect(count == 4000)
    here { engine.end() }
  }

  @Test func answersComeFromTimersAndFilesToo() throws {
    let path = try scratchFile(1 << 20)
    defer { unlink(path.string) }
    let engine = try SharedEngine { try AIOFile(path, on: $0) }
    for block in 0..<50 {
      let read: [UInt8] = try engine.answer { file, answer in
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
    engine.end()
    // It has let go of the file.
    _ = try AIOFile(path, on: AIOLoop())
  }

  /// Some wait for the kernel themselves, some for those, and the engine's threads for what remains.
  @Test func manyThreadsHaveTheirRequestsAnswered() throws {
    let path = try scratchFile(8 << 20)
    defer { unlink(path.string) }
    let engine = try SharedEngine(depth: 8) { try AIOFile(path, on: $0) }
    let wrong = Atomic(0)
    let threads = (0..<12).map { number in
      Thread {
        for round in 0..<60 {
          let offset = number * (128 << 10) + round % 16 * 4096
          let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: number * 60 + round), count: 4096)
          let read: [UInt8]? = try? engine.answer { file, answer in
            file.submit(.write(offset: offset, BlockBuffer(bytes), durable: false)) { _ in
              let found = BlockBuffer(count: 4096)
              file.submit(.read(offset: offset, found)) { _ in answer(.success(Array(found.bytes))) }
            }
          }
          if read != bytes { wrong.add(1, ordering: .relaxed) }
        }
      }
    }
    for thread in threads { thread.join() }
    let count = wrong.load(ordering: .relaxed)
    #expect(count == 0)
    engine.end()
  }

  /// The thread that waits for the kernel is told when a timer answers it, or another's request does.
  @Test(.timeLimit(.minutes(1))) func whoeverWaitsForTheKernelIsAnsweredByOthersToo() throws {
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    defer { for end in ends { close(end) } }
    let silent = ends[0]
    for _ in 0..<3 {
      let engine = try SharedEngine { Counting($0) }
      // Its threads sleep by then, mostly.
      usleep(5000)
      let count: Int = try engine.answer { counting, answer in
        var never = iocb()
        io_prep_poll(&never, silent, POLLIN)
        counting.loop.submit(never) { _ in }
        counting.loop.schedule(after: .milliseconds(5)) {
          counting.count += 1
          answer(.success(counting.count))
        }
      }
      #expect(count == 1)
      engine.end()
    }
  }

  @Test func whatCannotBeMadeIsTold() throws {
    #expect {
      _ = try SharedEngine { try AIOFile("/var/tmp/quartet-test-none", on: $0) }
    } throws: {
      ($0 as? Failure)?.code == .notFound
    }
  }

  @Test func theEngineIsGivenUpAndWhoeverWaitsIsTold() throws {
    let isUnavailable = Atomic(false)
    let gone = Semaphore()
    let engine = try SharedEngine { Counting($0) { gone.signal() } }
    let waits = Semaphore()
    let told = Semaphore()
    let waiter = Thread {
      do {
        let _: Int = try engine.answer { counting, answer in
          // An answer that would come much later.
          counting.loop.schedule(after: .seconds(3600)) { answer(.success(1)) }
          waits.signal()
        }
      } catch {
        isUnavailable.store((error as? Failure)?.code == .unavailable, ordering: .sequentiallyConsistent)
      }
      told.signal()
    }
    waits.wait()
    engine.end()
    told.wait()
    gone.wait()
    waiter.join()
    let wasTold = isUnavailable.load(ordering: .sequentiallyConsistent)
    #expect(wasTold)
    engine.end()
    #expect(throws: Failure.self) { let _: Int = try engine.answer { _, answer in answer(.success(1)) } }
  }

  /// The engine's own threads sleep in the kernel now and then.
  @Test func whatComesNowAndThenIsAnswered() throws {
    let engine = try SharedEngine { Counting($0) }
    for round in 0..<300 {
      if round % 3 == 0 { usleep(1000) }
      let count: Int = try engine.answer { counting, answer in
        counting.count += 1
        answer(.success(counting.count))
      }
      #expect(count == round + 1)
    }
    engine.end()
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
