import BlockEngine
import Glibc
import HostInterface
import LinuxBlockDevices
import NBDClient
import SystemPackage
import Testing

/// What a leg, and a mirror on it, do when the server is lost.
@Suite struct LostServerTests {
  let loop: AIOLoop
  let scratch: Scratch

  init() throws {
    loop = try AIOLoop()
    scratch = try Scratch()
  }

  private func mirror(_ devices: [any BlockDevice], isNew: Bool = true) throws -> Mirror {
    if isNew {
      try loop.finish {
        Mirror.create(
          on: devices, id: (1...16).map { $0 }, data: .identical, random: { .random(in: 1 ... .max) }, $0)
      }
    }
    return try loop.value { Mirror.open(on: devices, clock: loop, random: { .random(in: 1 ... .max) }, $0) }
  }

  @Test func aKilledServerFailsWhatIsInFlight() throws {
    let server = try NBDServer.nbdkit(["--filter=delay", "memory", "1M", "wdelay=10"], in: scratch)
    var losses: [Failure] = []
    let leg = try loop.connect(server.uri)
    leg.onLoss = { losses.append($0) }
    var answers: [Failure?] = []
    for number in 0..<4 {
      leg.submit(.write(offset: number * 4096, BlockBuffer(pattern(number, 4096)), durable: false)) {
        answers.append($0)
      }
    }
    loop.schedule(after: .milliseconds(20)) { server.kill() }
    try loop.run { answers.count == 4 && !losses.isEmpty }
    #expect(answers.allSatisfy { $0?.code == .unavailable && $0?.subject == server.uri })
    #expect(losses.count == 1)
    // What comes later fails as well, and nothing is left to wait for.
    #expect(try loop.failure { leg.submit(.flush, $0) }?.code == .unavailable)
    try loop.finish { leg.end(atMost: .seconds(5), $0) }
  }

  /// Between connecting and being given to a mirror a leg has nobody who could be told.
  @Test func aLossBeforeAnybodyListensIsToldWhoeverListensLater() throws {
    let server = try NBDServer.nbdkit(["memory", "1M"], in: scratch)
    let leg = try loop.connect(server.uri)
    server.kill()
    // Nothing is asked of it; the loop sees the end of the connection by itself.
    var isOver = false
    loop.schedule(after: .milliseconds(100)) { isOver = true }
    try loop.run { isOver }
    var losses: [Failure] = []
    leg.onLoss = { losses.append($0) }
    #expect(losses.isEmpty, "whoever sets it is not called back before that returns")
    isOver = false
    loop.schedule(after: .milliseconds(20)) { isOver = true }
    try loop.run { isOver }
    #expect(losses.map(\.problem) == ["the NBD server ended the connection"])
    try loop.finish { leg.end(atMost: .seconds(5), $0) }
  }

  @Test func theLossOfAServerIsToldWhileNothingIsAsked() throws {
    let server = try NBDServer.nbdkit(["memory", "1M"], in: scratch)
    var loss: Failure?
    let leg = try loop.connect(server.uri)
    leg.onLoss = { loss = $0 }
    loop.schedule(after: .milliseconds(10)) { server.kill() }
    try loop.run { loss != nil }
    #expect(loss?.code == .unavailable)
    #expect(loss?.problem == "the NBD server ended the connection")
    withExtendedLifetime(leg) {}
  }

  @Test func aServerThatHangsIsGivenUpAndNothingComesLate() throws {
    let server = try NBDServer.nbdkit(["memory", "1M"], in: scratch)
    var options = NBDLegOptions()
    options.answerLimit = .milliseconds(100)
    let leg = try loop.connect(server.uri, options)
    try loop.finish { leg.submit(.write(offset: 0, BlockBuffer(pattern(7, 4096)), durable: true), $0) }
    try server.stop()
    let buffer = BlockBuffer(count: 4096)
    #expect(try loop.failure { leg.submit(.read(offset: 0, buffer), $0) }?.code == .timedOut)
    // The server cannot say that it has finished.
    #expect(try loop.failure { leg.submit(.flush, $0) }?.code == .timedOut)
    server.goOn()
    // It finishes what it had, which is known; what it read comes into no buffer that may be used anew.
    try loop.finish { leg.end(atMost: .seconds(5), $0) }
    #expect(buffer.bytes.allSatisfy { $0 == 0 })
    _ = try loop.connect(server.uri)
  }

  @Test func aServerThatGoesOnHangingMayHaveUnfinishedWrites() throws {
    let server = try NBDServer.nbdkit(["memory", "1M"], in: scratch)
    var options = NBDLegOptions()
    options.answerLimit = .milliseconds(50)
    options.connectLimit = .milliseconds(100)
    let leg = try loop.connect(server.uri, options)
    try server.stop()
    let failure = try loop.failure {
      leg.submit(.write(offset: 0, BlockBuffer(pattern(7, 4096)), durable: true), $0)
    }
    #expect(failure?.code == .timedOut)
    #expect(try loop.failure { leg.end(atMost: .milliseconds(50), $0) }?.code == .timedOut)
    #expect(try loop.failure { leg.end(atMost: .milliseconds(50), $0) }?.code == .timedOut)
    // Another connection to it is not taken either.
    let refused = #expect(throws: Failure.self) { _ = try loop.connect(server.uri, options) }
    #expect(refused?.code == .timedOut)
    #expect(refused?.problem.contains("did not take the connection") == true)
    server.goOn()
    try loop.finish { leg.end(atMost: .seconds(5), $0) }
    // What was written late is there before anybody else writes, unless it was given up before it was sent.
    let next = try loop.connect(server.uri)
    let found = try loop.bytes(0..<4096, of: next)
    #expect([pattern(7, 4096), [UInt8](repeating: 0, count: 4096)].contains(found))
    try loop.finish { next.submit(.write(offset: 0, BlockBuffer(pattern(9, 4096)), durable: true), $0) }
    #expect(try loop.bytes(0..<4096, of: next) == pattern(9, 4096))
  }

  @Test func aLegThatDiesUnderLoadComesBackByTheBitmapAlone() throws {
    let remote = try scratch.file("remote", size: 16 << 20)
    let arguments = ["file", remote.string]
    var server = try NBDServer.nbdkit(arguments, in: scratch)
    let file = try AIOFile(try scratch.file("local", size: 16 << 20), on: loop)
    let leg = try loop.connect(server.uri)
    let mirror = try mirror([leg, file])

    // Eight writers, and the server is killed in their midst.
    var written: [Int: Int] = [:]
    var started = 0
    var done = 0
    var failures: [Failure] = []
    func write() {
      guard started < 400 else { return }
      started += 1
      let (number, place) = (started, started * 37 % 128)
      mirror.submit(
        .write(offset: place * 65536, BlockBuffer(pattern(number, 16384)), durable: number % 8 == 0)
      ) {
        failure in
        if let failure { failures.append(failure) }
        written[place] = max(number, written[place] ?? 0)
        done += 1
        if done == 100 { server.kill() }
        write()
      }
    }
    for _ in 0..<8 { write() }
    try loop.run { done == 400 }
    #expect(failures == [])
    #expect(mirror.legStatus == [.dropped, .upToDate])
    let behind = mirror.outOfSync

    server = try NBDServer.nbdkit(arguments, in: scratch)
    try loop.finish { leg.end(atMost: .seconds(5), $0) }
    let back = CountedDevice(try loop.connect(server.uri))
    try loop.finish { mirror.attach(back, $0) }
    try loop.run { mirror.isInSync }
    #expect(back.written >= behind)
    // Data that it lacked, and metadata of 100 KiB at most; the whole leg would be 16 MiB.
    #expect(back.written < behind + 128 << 10, "\(back.written) for \(behind)")
    #expect(behind < 9 << 20)
    #expect(try loop.value { mirror.verify($0) } == [])
    for (place, number) in written {
      #expect(
        try loop.bytes(place * 65536..<place * 65536 + 16384, of: back) == pattern(number, 16384)
      )
    }
    try loop.finish { mirror.close($0) }
  }

  @Test func aServerThatHangsIsDroppedByTheMirrorWhichGoesOn() throws {
    let server = try NBDServer.qemu(try scratch.file("remote", size: 4 << 20), in: scratch)
    let file = try AIOFile(try scratch.file("local", size: 4 << 20), on: loop)
    var options = NBDLegOptions()
    options.answerLimit = .milliseconds(150)
    let leg = try loop.connect(server.uri, options)
    let mirror = try mirror([file, leg])
    try server.stop()
    try loop.finish { mirror.submit(.write(offset: 65536, BlockBuffer(pattern(1, 4096)), durable: true), $0) }
    #expect(mirror.legStatus == [.upToDate, .dropped])
    server.goOn()
    try loop.finish { leg.end(atMost: .seconds(5), $0) }
    let back = try loop.connect(server.uri)
    try loop.finish { mirror.attach(back, $0) }
    try loop.run { mirror.isInSync }
    #expect(try loop.bytes(65536..<69632, of: back) == pattern(1, 4096))
    try loop.finish { mirror.close($0) }
  }

  @Test func readsGoToTheLegOfThisMachineFirst() throws {
    let server = try NBDServer.nbdkit(["memory", "4M"], in: scratch)
    let leg = CountedDevice(try loop.connect(server.uri))
    let file = try AIOFile(try scratch.file("local", size: 4 << 20), on: loop)
    let mirror = try mirror([leg, file])
    let before = leg.read
    _ = try loop.bytes(0..<1 << 20, of: mirror)
    #expect(leg.read == before)
    try loop.finish { mirror.close($0) }
  }

  @Test func whatAWriterLeftThatDiedIsBroughtTogether() throws {
    let servers = try ["a", "b"].map { name in
      try NBDServer.nbdkit(
        ["file", try scratch.file(name, size: 4 << 20).string], in: scratch, name: "nbd-\(name)")
    }
    let uris = servers.map(\.uri)
    // The thread ends with writes in flight, and with it the mirror, which nobody closes.
    let writer = try SharedEngine { loop in Writer(uris, loop) }
    let acknowledged: [Int] = try writer.answer { writer, tell in writer.start(tell) }
    writer.end()
    let mirror = try mirror(try uris.map { try loop.connect($0) }, isNew: false)
    try loop.run { mirror.isInSync }
    #expect(try loop.value { mirror.verify($0) } == [])
    for number in acknowledged {
      let range = Writer.offset(number)..<Writer.offset(number) + 4096
      #expect(try loop.bytes(range, of: mirror) == pattern(number, 4096))
    }
    try loop.finish { mirror.close($0) }
  }
}

/// A mirror of two exports in use.
private final class Writer {
  private let loop: AIOLoop
  private let uris: [String]
  private var legs: [any BlockDevice] = []
  private var started = 0
  private var done: [Int] = []

  init(_ uris: [String], _ loop: AIOLoop) { (self.uris, self.loop) = (uris, loop) }

  static func offset(_ number: Int) -> Int { number * 8192 }

  /// Makes the mirror, and writes; tells which writes are acknowledged when some are, and goes on.
  func start(_ tell: @escaping (Result<[Int], Failure>) -> Void) {
    guard legs.count == uris.count else {
      return NBDLeg.connect(uris[legs.count], on: loop) { [self] result in
        guard case .success(let leg) = result else { return tell(result.map { _ in [] }) }
        legs.append(leg)
        start(tell)
      }
    }
    Mirror.create(on: legs, id: (1...16).map { $0 }, data: .identical, random: { 7 }) { [self] failure in
      if let failure { return tell(.failure(failure)) }
      Mirror.open(on: legs, clock: loop, random: { .random(in: 1 ... .max) }) { [self] result in
        guard case .success(let mirror) = result else { return tell(result.map { _ in [] }) }
        for _ in 0..<8 { write(mirror, tell) }
      }
    }
  }

  private func write(_ mirror: Mirror, _ tell: @escaping (Result<[Int], Failure>) -> Void) {
    started += 1
    let number = started
    guard number < 400 else { return }
    let data = BlockBuffer(pattern(number, 4096))
    mirror.submit(.write(offset: Self.offset(number), data, durable: true)) { [self] failure in
      if let failure { return tell(.failure(failure)) }
      done.append(number)
      if done.count == 60 { tell(.success(done)) }
      write(mirror, tell)
    }
  }
}

/// Counts what goes to a device.
private final class CountedDevice: BlockDevice {
  let device: any BlockDevice
  private(set) var written = 0
  private(set) var read = 0

  init(_ device: any BlockDevice) { self.device = device }

  var name: String { device.name }
  var size: Int { device.size }
  var logicalBlockSize: Int { device.logicalBlockSize }
  var isRemote: Bool { device.isRemote }

  func submit(_ request: BlockRequest, _ completion: @escaping (Failure?) -> Void) {
    switch request {
    case .read(_, let buffer): read += buffer.count
    default: written += request.range?.count ?? 0
    }
    device.submit(request, completion)
  }
}
