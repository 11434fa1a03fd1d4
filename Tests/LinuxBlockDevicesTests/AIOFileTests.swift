import BlockEngine
import Glibc
import HostInterface
import LinuxBlockDevices
import SystemPackage
import Testing

/// Files of one test in a directory of a disk, removed at its end.
private final class Files {
  let loop: AIOLoop
  private(set) var paths: [FilePath] = []

  init(_ count: Int, size: Int) throws {
    loop = try AIOLoop(depth: 16)
    for _ in 0..<count {
      var template = Array("/var/tmp/quartet-test-XXXXXX".utf8CString)
      let file = mkstemp(&template)
      try #require(file >= 0)
      try #require(ftruncate(file, off_t(size)) == 0)
      close(file)
      paths.append(FilePath(platformString: template))
    }
  }

  deinit { for path in paths { unlink(path.string) } }

  func run(_ start: (@escaping (Failure?) -> Void) -> Void) throws {
    var answer: Failure??
    start { answer = .some($0) }
    try loop.run { answer != nil }
    if case .some(let failure?) = answer { throw failure }
  }
}

@Suite struct AIOFileTests {
  @Test func readsWhatWasWritten() throws {
    let files = try Files(1, size: 4 << 20)
    let file = try AIOFile(files.paths[0], on: files.loop)
    #expect(file.size == 4 << 20)
    let buffer = BlockBuffer([UInt8](repeating: 9, count: 1 << 20))
    try files.run { file.submit(.write(offset: 1 << 20, buffer, durable: true), $0) }
    try files.run { file.submit(.flush, $0) }
    try files.run { file.submit(.writeZeroes(offset: (1 << 20) + 4096, count: 8192, durable: false), $0) }
    let read = BlockBuffer(count: 3 << 20)
    try files.run { file.submit(.read(offset: 1 << 20, read), $0) }
    #expect(
      read.bytes[4095] == 9 && read.bytes[4096] == 0 && read.bytes[12287] == 0 && read.bytes[12288] == 9)
    #expect(read.bytes[1 << 20] == 0)
  }

  @Test func holesAreToldAsTheyComeAndGo() throws {
    let files = try Files(1, size: 64 << 20)
    let file = try AIOFile(files.paths[0], on: files.loop)
    func parts(_ range: Range<Int>) throws -> [BlockStatus] {
      var answer: Result<[BlockStatus], Failure>?
      file.blockStatus(of: range) { answer = $0 }
      try files.loop.run { answer != nil }
      return try #require(answer).get()
    }
    let all = 0..<64 << 20
    #expect(try parts(all) == [BlockStatus(count: 64 << 20, isHole: true)])
    let buffer = BlockBuffer([UInt8](repeating: 9, count: 1 << 20))
    try files.run { file.submit(.write(offset: 8 << 20, buffer, durable: false), $0) }
    let island = [
      BlockStatus(count: 8 << 20, isHole: true), BlockStatus(count: 1 << 20, isHole: false),
      BlockStatus(count: 55 << 20, isHole: true),
    ]
    #expect(try parts(all) == island)
    #expect(try parts((8 << 20) + 512..<9 << 20) == [BlockStatus(count: (1 << 20) - 512, isHole: false)])
    // Longer than one part, so that it takes several calls.
    try files.run { file.submit(.discard(offset: 512 << 10, count: 30 << 20), $0) }
    #expect(try parts(all) == [BlockStatus(count: 64 << 20, isHole: true)])
    #expect(throws: Failure.self) { _ = try parts(0..<(64 << 20) + 512) }
    #expect(throws: Failure.self) { _ = try parts(-512..<512) }
    // What is cut off behind the back of the device is not zero: it cannot be read.
    #expect(truncate(files.paths[0].string, 1 << 20) == 0)
    #expect(try parts(all) == [BlockStatus(count: 64 << 20, isHole: false)])
  }

  @Test func whatIsZeroedKeepsItsPlaceAndWhatIsDiscardedDoesNot() throws {
    let files = try Files(1, size: 32 << 20)
    let file = try AIOFile(files.paths[0], on: files.loop)
    func place() -> Int {
      var status = stat()
      return stat(files.paths[0].string, &status) == 0 ? Int(status.st_blocks) * 512 : -1
    }
    let buffer = BlockBuffer([UInt8](repeating: 9, count: 24 << 20))
    try files.run { file.submit(.write(offset: 0, buffer, durable: true), $0) }
    try files.run { file.submit(.writeZeroes(offset: 0, count: 20 << 20, durable: true), $0) }
    #expect(place() >= 24 << 20)
    let read = BlockBuffer(count: 24 << 20)
    try files.run { file.submit(.read(offset: 0, read), $0) }
    #expect(read.bytes[0..<20 << 20].allSatisfy { $0 == 0 } && read.bytes[20 << 20] == 9)
    try files.run { file.submit(.discard(offset: 0, count: 20 << 20), $0) }
    #expect(place() < 5 << 20)
  }

  @Test func aLongDiscardLetsOthersHaveTheirTurn() throws {
    let files = try Files(1, size: 0)
    try #require(truncate(files.paths[0].string, 1 << 40) == 0)
    let file = try AIOFile(files.paths[0], on: files.loop)
    var isDone = false
    var readsBefore = 0
    file.submit(.discard(offset: 0, count: file.size)) { _ in isDone = true }
    for _ in 0..<20 {
      var isRead = false
      file.submit(.read(offset: 0, BlockBuffer(count: 4096))) { _ in isRead = true }
      try files.loop.run { isRead }
      if !isDone { readsBefore += 1 }
    }
    #expect(readsBefore > 10)
    files.loop.end()
  }

  @Test func manyRequestsAreAnsweredThoughTheKernelTakesFew() throws {
    let files = try Files(1, size: 4 << 20)
    let file = try AIOFile(files.paths[0], on: files.loop)
    var answered = 0
    for block in 0..<1000 {
      let buffer = BlockBuffer([UInt8](repeating: UInt8(block % 251), count: 4096))
      file.submit(.write(offset: block * 4096, buffer, durable: false)) { if $0 == nil { answered += 1 } }
    }
    try files.loop.run { answered == 1000 }
    let read = BlockBuffer(count: 1000 * 4096)
    try files.run { file.submit(.read(offset: 0, read), $0) }
    #expect((0..<1000).allSatisfy { read.bytes[$0 * 4096 + 7] == UInt8($0 % 251) })
  }

  @Test func aFileIsOpenOnce() throws {
    let files = try Files(1, size: 1 << 20)
    let file = try AIOFile(files.paths[0], on: files.loop)
    #expect {
      _ = try AIOFile(files.paths[0], on: files.loop)
    } throws: {
      ($0 as? Failure)?.code == .inUse
    }
    #expect(throws: Failure.self) { _ = try AIOFile("/dev/null", on: files.loop) }
    #expect(throws: Failure.self) { _ = try AIOFile("/var/tmp/quartet-test-none", on: files.loop) }
    #expect(throws: Failure.self) { try files.run { file.submit(.discard(offset: 1 << 20, count: 512), $0) } }
  }

  /// A write would make it longer again, with zeroes for what is gone.
  @Test func aFileThatIsCutOffIsNotWrittenTo() throws {
    let files = try Files(1, size: 1 << 20)
    let file = try AIOFile(files.paths[0], on: files.loop)
    let buffer = BlockBuffer(count: 4096)
    let last = file.size - 4096
    let requests: [BlockRequest] = [
      .write(offset: last, buffer, durable: true), .write(offset: 0, buffer, durable: false),
      .writeZeroes(offset: 0, count: 4096, durable: false), .discard(offset: last, count: 4096),
      .read(offset: last, buffer),
    ]
    for request in requests {
      #expect(truncate(files.paths[0].string, 64 << 10) == 0)
      let failure = #expect(throws: Failure.self) { try files.run { file.submit(request, $0) } }
      #expect(failure?.code == .refused)
      var status = stat()
      #expect(stat(files.paths[0].string, &status) == 0 && status.st_size == 64 << 10)
    }
    // In the middle it is longer when that is found, and not whole again.
    let failure = #expect(throws: Failure.self) {
      try files.run { file.submit(.write(offset: 512 << 10, buffer, durable: false), $0) }
    }
    #expect(failure?.problem.contains("cut it off") == true)
  }

  @Test func aMirrorOfTwoFilesHoldsBothAlike() throws {
    let files = try Files(2, size: 8 << 20)
    var random = SystemRandomNumberGenerator()
    var legs: [AIOFile] = try files.paths.map { try AIOFile($0, on: files.loop) }
    try files.run {
      Mirror.create(on: legs, id: Array(1...16), data: .identical, random: { random.next() }, $0)
    }
    var opened: Result<Mirror, Failure>?
    Mirror.open(on: legs, clock: files.loop, random: { random.next() }) { opened = $0 }
    try files.loop.run { opened != nil }
    let mirror = try #require(try opened?.get())
    for block in 0..<200 {
      let buffer = BlockBuffer([UInt8](repeating: UInt8(block), count: 4096))
      try files.run { mirror.submit(.write(offset: block * 7 * 4096, buffer, durable: block % 9 == 0), $0) }
    }
    var found: Result<[Range<Int>], Failure>?
    mirror.verify { found = $0 }
    try files.loop.run { found != nil }
    #expect(try found?.get() == [])
    try files.run(mirror.close)
    let buffers = legs.map { ($0, BlockBuffer(count: mirror.size)) }
    for (leg, buffer) in buffers { try files.run { leg.submit(.read(offset: 0, buffer), $0) } }
    #expect(buffers[0].1.bytes.elementsEqual(buffers[1].1.bytes))
    #expect(buffers[0].1.bytes[199 * 7 * 4096] == 199)
    legs = []
  }
}
