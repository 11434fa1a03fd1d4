import FoundationEssentials
import Glibc
import STGTSimulator
import Simulation
import SystemPackage
import Testing

/// A tgtd of this machine, started for one test.
private final class RestartableTgtd {
  let directory: String
  let portal: String
  private var process: pid_t = 0

  init() throws {
    var template = Array("/tmp/stgt-XXXXXX".utf8CString)
    directory =
      mkdtemp(&template) == nil
      ? "" : String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    try #require(!directory.isEmpty)
    // The requests name it and the two ports before it: none of those that the other tests' daemons are given.
    let port = try #require(
      stride(from: UInt16(10003), to: 20000, by: 10).shuffled().first {
        isFree($0) && isFree($0 - 1) && isFree($0 - 2)
      })
    portal = "127.0.0.1:\(port)"
  }

  deinit {
    stop()
    try? FileManager.default.removeItem(atPath: directory)
  }

  func start() throws {
    stop()
    let words = ["tgtd", "-f", "--iscsi", "portal=" + portal]
    let variables = ["TGT_IPC_SOCKET=\(directory)/socket", "LC_ALL=C"]
    var argv = words.map { strdup($0) } + [nil]
    var environment = variables.map { strdup($0) } + [nil]
    defer { (argv + environment).forEach { free($0) } }
    var files = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&files)
    defer { posix_spawn_file_actions_destroy(&files) }
    for descriptor: Int32 in 0...2 {
      posix_spawn_file_actions_addopen(&files, descriptor, "/dev/null", O_RDWR, 0)
    }
    try #require(posix_spawn(&process, "/usr/sbin/tgtd", &files, nil, &argv, &environment) == 0)
    // It listens when it answers; a portal that another program has would leave it without.
    let question = request(.system, .show)
    let end = ContinuousClock.now + .seconds(10)
    while exchange(question).isEmpty {
      try #require(ContinuousClock.now < end, "tgtd does not start")
      usleep(5000)
    }
  }

  func stop() {
    guard process > 0 else { return }
    kill(process, SIGKILL)
    var status: Int32 = 0
    waitpid(process, &status, 0)
    process = 0
  }

  /// All that it sends until it closes; nothing when it cannot be reached.
  func exchange(_ request: [UInt8]) -> [UInt8] {
    let socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(socket) }
    var limit = timeval(tv_sec: 5, tv_usec: 0)
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array("\(directory)/socket.0".utf8)) }
    let connected = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard connected == 0, send(socket, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else {
      return []
    }
    var reply: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
      let count = recv(socket, &buffer, buffer.count, 0)
      guard count > 0 else { return reply }
      reply += buffer[..<count]
    }
  }
}

/// Numbers of `enum tgtadm_mode` and `enum tgtadm_op`.
private enum Mode: UInt32 { case system, target, unit, portal, driver, session, connection, account }
private enum Operation: UInt32 { case new, delete, show, bind, unbind, update, stat, start, stop }

/// The bytes of a request, written down apart from the model's own.
private func request(
  _ mode: Mode, _ operation: Operation, tid: Int32 = -1, lun: UInt64 = .max, type: UInt32 = 0,
  outgoing: Bool = false,
  force: Bool = false, _ text: String? = nil
) -> [UInt8] {
  var bytes: [UInt8] = []
  func append(_ value: some FixedWidthInteger) { withUnsafeBytes(of: value) { bytes += $0 } }
  let body: [UInt8] = text.map { Array($0.utf8) + [0] } ?? []
  append(mode.rawValue)
  append(operation.rawValue)
  bytes += Array("iscsi".utf8) + [UInt8](repeating: 0, count: 59)
  append(UInt32(120 + body.count))
  append(tid)
  append(UInt64(0))
  append(lun)
  for word in [0, 0, type, outgoing ? 1 : 0, 0, force ? 1 : 0] as [UInt32] { append(word) }
  return bytes + body
}

/// Requests as they come, the same for one seed.
private struct RequestSource {
  private static let lunOfAIO: UInt64 = 300

  private var state: UInt64
  let directory: String
  let portal: String

  init(seed: UInt64, directory: String, portal: String) {
    state = seed
    self.directory = directory
    self.portal = portal
  }

  private mutating func number(_ count: Int) -> Int {
    // SplitMix64.
    state &+= 0x9e37_79b9_7f4a_7c15
    var word = state
    word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
    return Int((word ^ (word >> 31)) % UInt64(count))
  }

  private mutating func pick<Value>(_ values: [Value]) -> Value { values[number(values.count)] }

  private mutating func parameters() -> String {
    let names = [
      "scsi_id", "scsi_sn", "vendor_id", "removable", "readonly", "online", "online", "thin_provisioning",
      "path",
      "mode_page", "nosuch", "bsoflags", "product_id",
    ]
    let list = (0...number(3)).map { _ in
      let name = pick(names)
      let values = [
        "0", "1", "2", "", "long-long-long-long-long-long-long-long", "8:0:2:1:2", "-1", "words and", "x",
      ]
      return name + pick(["=", "=", "=", ""]) + (name == "path" ? path() : pick(values))
    }
    return pick(["targetOps ", "targetOps ", ""]) + list.joined(separator: ",") + pick([",", ""])
  }

  private mutating func path() -> String {
    directory + pick(["/disk", "/small", "/missing", "", "/disk/below", "/tape"])
  }

  private mutating func unit() -> String {
    let store = pick([
      "", "", ",bstype=rdwr", ",bstype=null", ",bstype=ssc", ",bstype=sg", ",bstype=x",
    ])
    let flags = pick(["", "", "", ",bsoflags=sync", ",bsoflags=direct:sync", ",bsoflags=x", ",bsoflags=:"])
    let size = pick(["", "", ",blocksize=4096", ",blocksize=0x400", ",blocksize=3", ",blocksize="])
    return "path=" + path() + store + flags + size
  }

  mutating func next() -> [UInt8] {
    let tid = pick([1, 1, 2, 3, 0, -1] as [Int32])
    let lun = pick([1, 1, 2, 3, 0, 300, .max] as [UInt64])
    let user = "user=" + pick(["jack", "jill", "joe"])
    let outgoing = number(3) == 0
    switch number(16) {
    case 0:
      return request(
        .target, .new, tid: tid, "targetname=" + pick(["iqn.a:1", "iqn.a:2", "iqn.a_b", "iqn.a:3,x", ""]))
    case 1:
      return number(4) == 0
        ? request(.target, .delete, tid: tid, force: number(2) == 0) : request(.target, .stat, tid: tid)
    case 2, 3:
      let type = pick([0, 0, 0, 1, 5, 8, 17, 255, 3] as [UInt32])
      // A cd or changer with the null store overwrites memory: when that kills tgtd is not certain.
      var text = type == 5 || type == 8 ? unit().replacing("null", with: "rdwr") : unit()
      if lun == Self.lunOfAIO, type == 0 { text = "path=\(path()),bstype=aio" }
      return request(.unit, .new, tid: tid, lun: lun, type: type, number(5) == 0 ? nil : text)
    case 4: return request(.unit, pick([.delete, .stat, .show]), tid: tid, lun: lun)
    case 5, 6:
      let text = parameters()
      // A failed change of path leaves an aio unit with a descriptor that is closed twice: the second time it is
      // another's.
      return request(
        .unit, .update, tid: tid, lun: lun, lun == Self.lunOfAIO ? text.replacing("path", with: "x") : text)
    case 7:
      let rule = pick([
        "initiator-address=ALL", "initiator-name=iqn.i", "initiator-address=10.0.0.1,initiator-name=iqn.j",
        "x",
      ])
      // A host that is bound to a target that is gone is looked up in freed memory, so none is unbound.
      return number(8) == 0
        ? request(.target, .bind, tid: tid) : request(.target, pick([.bind, .unbind]), tid: tid, rule)
    case 8: return request(.account, .new, user + ",password=secretsecret")
    case 9: return request(.account, pick([.bind, .bind, .unbind]), tid: tid, outgoing: outgoing, user)
    case 10: return request(.account, pick([.show, .show, .delete, .update]), user)
    case 11:
      let name = pick([
        "MaxBurstLength", "headerdigest", "InitialR2T", "MaxQueueCmd", "state", "nop_interval",
        "RedirectPort", "x",
      ])
      let value = pick([
        "Yes", "No", "512", "0x1000", "CRC32C", "None,x", "ready", "offline", "", "-3", "1e3",
      ])
      return request(.target, .update, tid: tid, name + pick(["=", "=", "=", ""]) + value)
    case 12:
      let own = portal.dropLast(1) + pick(["1", "2"])
      let list = pick([
        "portal=\(own)", "portal=\(own),portal=\(portal)", "portal=[::1]", "portal=x", "none",
        "portal=\(own)x,",
      ])
      return request(
        .portal, pick([.new, .delete, .show]),
        "portalOps " + list.replacing("[::1]", with: "[::1]:\(portal.split(separator: ":")[1])"))
    case 13:
      let text = pick([
        "debug=on", "debug=off", "debug=", "State=offline", "State=ready,x=1", "x=1,State=ready",
        "iSNSServerPort=12x", "iSNS=x",
      ])
      return request(.system, .update, text)
    case 14:
      switch number(6) {
      // A driver that was stopped and started puts its timer twice into a list, which then may have no end.
      case 0: return request(.driver, pick([.show, .start, .new]))
      case 1: return request(.system, pick([.delete, .stat, .new]))
      case 2: return request(pick([.session, .connection]), pick([.show, .delete, .stat, .new]), tid: tid)
      // Without the text that they need.
      case 3:
        return number(12) == 0
          ? request(pick([.account, .portal, .target]), .new, tid: tid)
          : request(.unit, .update, tid: tid, lun: lun)
      case 4: return request(.account, .show, String(repeating: "x", count: pick([8191, 8192])))
      default: return request(.target, .show, tid: tid)
      }
    default: return request(pick([.target, .target, .portal, .account, .system]), .show)
    }
  }
}

extension STGTSimulatorTests {
  /// Sends the same requests to this machine's tgtd and to the model; `SEED` and `COUNT` choose others and more.
  @Test(.enabled(if: geteuid() == 0 && access("/usr/sbin/tgtd", X_OK) == 0, "needs root and the package tgt"))
  func answersAsTheRealOne() throws {
    let variables = ProcessInfo.processInfo.environment
    let seed = variables["SEED"].flatMap { UInt64($0) } ?? 1
    let real = try RestartableTgtd()
    let model = SimulatedTgtd(
      socket: real.directory + "/socket", isRunning: false, addresses: ["127.0.0.1", "::1"])
    let host = SimulatedHost(services: [model])
    host.addDirectory(FilePath(real.directory))
    for (name, size) in [("disk", 64 << 20), ("small", 1000), ("tape", 1152)] {
      let path = real.directory + "/" + name
      try Data().write(to: URL(filePath: path))
      truncate(path, size)
      host.addFile(FilePath(path), size: UInt64(size))
    }
    func start() throws {
      try real.start()
      model.start(on: host, portals: "portal=" + real.portal)
    }
    try start()
    var source = RequestSource(seed: seed, directory: real.directory, portal: real.portal)
    for step in 1...(variables["COUNT"].flatMap { Int($0) } ?? 3000) {
      let bytes = source.next()
      let expected = SimulatedReply.bytes(real.exchange(bytes))
      let reply = try host.converse(with: model.socketPath, bytes)
      guard reply == expected else {
        Issue.record(
          "SEED=\(seed) step \(step): \(describe(bytes))\nmodel: \(describe(reply))\ntgtd: \(describe(expected))"
        )
        return
      }
      // Its death, and what it loses, are part of the answer.
      if !model.isRunning { try start() }
    }
  }

  private func describe(_ reply: SimulatedReply) -> String {
    if case .bytes(let bytes) = reply { describe(bytes) } else { "silence" }
  }

  private func describe(_ bytes: [UInt8]) -> String {
    "\(bytes.prefix(8)) "
      + String(
        decoding: bytes.dropFirst(bytes.count > 120 && bytes[8] == 105 ? 120 : 8).filter { $0 != 0 },
        as: UTF8.self)
  }
}
