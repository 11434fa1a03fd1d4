import BlockEngine
import Glibc
import HostInterface
import LinuxBlockDevices
import NBDClient
import Testing

/// What a leg does with servers that answer anything: each request fails, and nothing traps.
@Suite struct GarbageTests {
  let loop: AIOLoop
  let scratch: Scratch
  private var options = NBDLegOptions()

  init() throws {
    loop = try AIOLoop()
    scratch = try Scratch()
    options.connectLimit = .milliseconds(200)
    options.answerLimit = .milliseconds(200)
  }

  private func connect(_ server: FakeServer) throws -> Result<NBDLeg, Failure> {
    var result: Result<NBDLeg, Failure>?
    NBDLeg.connect(server.uri, on: loop, options: options) { result = $0 }
    try loop.run { result != nil }
    return try #require(result)
  }

  /// Sends some requests, and tells how each ended.
  private func failures(of leg: NBDLeg) throws -> [Failure?] {
    let requests: [BlockRequest] = [
      .write(offset: 0, BlockBuffer(pattern(1, 4096)), durable: true),
      .read(offset: 4096, BlockBuffer(count: 4096)),
      .flush,
      .writeZeroes(offset: 8192, count: 4096, durable: false),
    ]
    var answers: [Failure?] = []
    for request in requests { leg.submit(request) { answers.append($0) } }
    try loop.run { answers.count == requests.count }
    return answers
  }

  @Test func aServerThatKeepsToTheProtocolIsUnderstood() throws {
    // The double itself: what it says otherwise is only garbage because of what is changed below.
    let server = try FakeServer(in: scratch, on: loop, hello: FakeServer.hello(size: 1 << 20)) {
      FakeServer.reply(to: $0)
    }
    let leg = try connect(server).get()
    try loop.finish { leg.submit(.flush, $0) }
  }

  @Test(arguments: 0..<24) func garbageInPlaceOfAnAnswerFailsWhatIsInFlight(seed: Int) throws {
    var random = Numbers(seed: UInt64(seed))
    let server = try FakeServer(in: scratch, on: loop, hello: FakeServer.hello(size: 1 << 20)) { request in
      switch seed % 6 {
      case 0: (0..<64).map { _ in random.byte() }
      case 1: FakeServer.reply(to: request.map { $0 ^ 0x55 })
      case 2: nil
      case 3: Array(FakeServer.reply(to: request).prefix(Int(random.byte()) % 16))
      case 4: FakeServer.reply(to: request, error: UInt32(random.byte()) << 24 | 22)
      default: FakeServer.reply(to: request) + (0..<32).map { _ in random.byte() }
      }
    }
    let leg = try connect(server).get()
    var lost: Failure?
    let answers = try failures(of: leg)
    #expect(answers.compactMap { $0 }.count >= 3, "\(answers)")
    for failure in answers.compactMap({ $0 }) {
      lost = failure
      #expect(failure.subject == server.uri)
      #expect([.garbled, .unavailable, .timedOut, .refused, .invalid].contains(failure.code), "\(failure)")
    }
    if seed % 6 == 2 { #expect(lost?.code == .unavailable) }
    if seed % 6 == 0 { #expect(lost?.code == .garbled, "\(lost.map { "\($0)" } ?? "")") }
    if seed % 6 == 1 { #expect(lost?.code == .garbled, "\(lost.map { "\($0)" } ?? "")") }
  }

  @Test func garbageInPlaceOfAGreetingIsNoConnection() throws {
    for seed in 0..<30 {
      var random = Numbers(seed: UInt64(seed))
      var hello = FakeServer.hello(size: 1 << 20)
      switch seed % 3 {
      case 0: hello = (0..<200).map { _ in random.byte() }
      case 1: hello = Array("NBDMAGICIHAVEOPT".utf8) + [0, 3] + (0..<400).map { _ in random.byte() }
      default: hello[Int(random.byte()) % 16] ^= 1 + random.byte() % 255
      }
      let server = try FakeServer(in: scratch, on: loop, name: "fake-\(seed)", hello: hello) { _ in [] }
      guard case .failure(let failure) = try connect(server) else {
        Issue.record("seed \(seed): it is connected")
        continue
      }
      #expect([.garbled, .unavailable, .timedOut, .refused].contains(failure.code), "\(seed): \(failure)")
    }
  }

  @Test(arguments: [0, 511, UInt64.max, 1 << 63]) func aSizeThatNoDeviceHasIsNoMirror(size: UInt64) throws {
    let server = try FakeServer(in: scratch, on: loop, hello: FakeServer.hello(size: size)) {
      FakeServer.reply(to: $0)
    }
    guard case .success(let leg) = try connect(server) else { return }
    #expect(leg.size == 0)
    let file = try AIOFile(try scratch.file("local", size: 1 << 20), on: loop)
    let failure = try loop.failure {
      Mirror.create(on: [file, leg], id: (1...16).map { $0 }, data: .identical, random: { 1 }, $0)
    }
    #expect(failure?.code == .invalid)
  }
}

/// Numbers that are the same in each run (SplitMix64).
struct Numbers: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = (state ^ state >> 30) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
    return mixed ^ mixed >> 31
  }

  mutating func byte() -> UInt8 { UInt8(truncatingIfNeeded: next()) }
}
