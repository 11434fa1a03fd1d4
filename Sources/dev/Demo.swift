import ArgumentParser
import Glibc
import HostInterface
import LinuxHost
import SystemPackage

struct DemoCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo",
    abstract:
      "Mirrors a volume, exports it with a tgtd of its own, reaches it with real initiators, lets a disk fail."
  )

  func run() async throws {
    let place = try PrivateTgtd()
    defer { place.end() }
    try await Demo(place).run()
  }
}

/// Quartet's main job, start to end, on nothing but user space.
private struct Demo {
  let place: PrivateTgtd
  let transcript: Transcript
  let open = "iqn.2011-12.com.example:disk1"
  let guarded = "iqn.2011-12.com.example:disk2"
  /// In MiB.
  let volumeSize = 48
  let legSize = 64

  init(_ place: PrivateTgtd) throws {
    self.place = place
    transcript = Transcript(
      host: place.host, environment: place.environment, quartet: try builtQuartet(on: place.host))
  }

  func run() async throws {
    try await start()
    let leg = try await makePool()
    try await export(isMirrored: leg != nil)
    try await look()
    try await moveData(leg)
    if let leg {
      try await bringBack(leg)
      try await showStack()
    }
    try await proveIdentity()
    try await closeSession()
    try await end(isMirrored: leg != nil)
  }

  private func path(_ name: String) -> FilePath { place.directory.appending(name) }
  private func url(_ target: String) -> String { "iscsi://\(place.portal)/\(target)/1" }

  private func start() async throws {
    transcript.say("1. A tgtd of its own, in \(place.directory); needs no kernel module.")
    try await transcript.run("quartet start --setting portals=\(place.portal)")
  }

  /// Makes the mirrored pool; nil where a volume cannot become something that tgtd can export.
  private func makePool() async throws -> FailingDisk? {
    if let missing = FailingDisk.missing(on: place.host) {
      transcript.say("2. No mirrored pool: \(missing). A plain file is exported instead.")
      return nil
    }
    transcript.say("2. A pool, mirrored over two legs: a file, and a disk that will fail later.")
    let leg = try await FailingDisk("leg-b", bytes: legSize << 20, in: place)
    try await transcript.run(
      "quartet pool create demo --leg \(path("leg-a")) --leg \(leg.path) --size \(legSize)M --extent-size 1M")
    try await transcript.run("quartet pool create-volume demo/lun1 --size \(volumeSize)M")
    try await transcript.run("quartet pool map demo")
    transcript.say("   The volume gets a path, by the engine in nbdkit and by nbdfuse.")
    try await transcript.run("quartet volume attach demo/lun1 --by fuse")
    try await transcript.run("quartet pool status demo")
    return leg
  }

  private func export(isMirrored: Bool) async throws {
    transcript.say("3. What is to be exported: one disk for this machine, one for who knows a secret.")
    let backing =
      try isMirrored ? "volume: demo/lun1" : "path: \(place.backing("disk1.img", bytes: volumeSize << 20))"
    let second = try place.backing("disk2.img", bytes: 32 << 20)
    try place.host.replace(path("jack.secret"), with: Array("a-secret-of-the-demo\n".utf8), mode: 0o600)
    let state = """
      quartet: 1
      targets:
        - name: \(open)
          initiators: [127.0.0.1]
          luns: [{lun: 1, \(backing), vendor: QUARTET, product: DEMO}]
        - name: \(guarded)
          initiators: [all]
          chap: {incoming: [{user: jack, secret: {file: \(path("jack.secret"))}}]}
          luns: [{lun: 1, path: \(second), readOnly: true}]

      """
    try place.host.replace(path("state.yaml"), with: Array(state.utf8), mode: 0o600)
    try await transcript.run("cat \(path("state.yaml"))")
    try await transcript.run("quartet apply --dry-run \(path("state.yaml"))")
    try await transcript.run("quartet apply \(path("state.yaml"))")
    transcript.say("   Applying it again changes nothing.")
    try await transcript.run("quartet apply \(path("state.yaml"))")
  }

  private func look() async throws {
    transcript.say("4. A real initiator (libiscsi) finds the targets and asks the disk who it is.")
    let listed = try await transcript.run("iscsi-ls iscsi://\(place.portal)")
    try transcript.check(listed.contains(open), "\(open) is found by discovery")
    let inquiry = try await transcript.run("iscsi-inq \(url(open))")
    try transcript.check(inquiry.contains("QUARTET"), "the disk has the vendor of the state file")
  }

  private func moveData(_ leg: FailingDisk?) async throws {
    let payload = (0..<(volumeSize << 20) / 8).flatMap { _ in
      withUnsafeBytes(of: UInt64.random(in: .min ... .max), Array.init)
    }
    try place.host.replace(path("payload"), with: payload, mode: 0o600)
    if let leg {
      transcript.say("5. Data through the wire (QEMU's initiator), 12 MB a second; meanwhile one disk fails.")
      try await write(whileFails: leg)
    } else {
      transcript.say("5. Data through the wire (QEMU's initiator), and read back.")
      try await transcript.run("qemu-img convert -n -f raw -O raw \(path("payload")) \(url(open))")
    }
    try await transcript.run("qemu-img convert -f raw -O raw \(url(open)) \(path("read-back"))")
    try await transcript.run("cmp \(path("payload")) \(path("read-back"))")
    try transcript.check(true, "the \(volumeSize) MiB that were written are what comes back through the wire")
  }

  /// Writes, and lets the leg fail when a part is written.
  private func write(whileFails leg: FailingDisk) async throws {
    let (host, transcript) = (place.host, transcript)
    let load = "qemu-img convert -n -r 12M -f raw -O raw \(path("payload")) \(url(open))"
    async let writing = transcript.run(load)
    // Half of it is written at some time in between; when, does not matter.
    try await host.sleep(.milliseconds(1500))
    transcript.say("   Every request to \(leg.path) fails from now on (nbdkit's error filter).")
    try leg.fail()
    for _ in 0..<200 {
      let state = try await host.run(
        [transcript.quartet, "pool", "status", "demo"], environment: place.environment, input: [],
        limit: .seconds(10))
      if String(decoding: state.output, as: UTF8.self).contains("Failed") { break }
      try await host.sleep(.milliseconds(50))
    }
    let status = try await transcript.run("quartet pool status demo")
    try transcript.check(status.contains("Failed"), "the leg is dropped, and what it misses is counted")
    _ = try await writing
    transcript.say("   The initiator has seen nothing of it: it ended with status 0.")
    try await transcript.run("quartet pool status demo")
  }

  private func bringBack(_ leg: FailingDisk) async throws {
    transcript.say(
      "6. The disk works again: it gets what it lacks, 16 MiB a second, while the volume is in use.")
    try leg.recover()
    try await transcript.run("quartet pool set demo --resync-rate 16M")
    try await transcript.run("quartet pool attach-leg demo \(leg.path)")
    let progress = try await transcript.run("quartet pool status demo --watch")
    try transcript.check(progress.contains("SyncTarget"), "the resync is seen")
    let verified = try await transcript.run("quartet pool verify demo")
    try transcript.check(verified.contains("alike"), "both legs hold the same")
    try await transcript.run("cmp -n \(volumeSize << 20) \(path("leg-a")) \(leg.contents)")
    try transcript.check(true, "and cmp(1) says so of the files below as well")
  }

  private func showStack() async throws {
    transcript.say("7. The whole stack, from the targets down to the legs.")
    try await transcript.run("quartet target list")
    try await transcript.run("quartet lun list")
    try await transcript.run("quartet pool list")
    try await transcript.run("quartet volume status")
  }

  private func proveIdentity() async throws {
    transcript.say("8. The second disk wants a proof (CHAP): no secret, a wrong one, the right one.")
    let wrong = ["LIBISCSI_CHAP_USERNAME": "jack", "LIBISCSI_CHAP_PASSWORD": "not-the-secret"]
    let right = ["LIBISCSI_CHAP_USERNAME": "jack", "LIBISCSI_CHAP_PASSWORD": "a-secret-of-the-demo"]
    try await transcript.run("iscsi-inq \(url(guarded))", expecting: 10)
    try await transcript.run("iscsi-inq \(url(guarded))", also: wrong, expecting: 10)
    try await transcript.run("iscsi-inq \(url(guarded))", also: right)
  }

  private func closeSession() async throws {
    transcript.say("9. An initiator stays logged in: the session is seen, and keeps its target from going.")
    let host = place.host
    let address = url(open)
    let initiator = Task {
      try await host.run(
        ["qemu-io", "-r", "-f", "raw", "-c", "sleep 30000", address], environment: [:], input: [],
        limit: .seconds(40))
    }
    defer { initiator.cancel() }
    for _ in 0..<100 {
      let listed = try await host.run(
        [transcript.quartet, "session", "list"], environment: place.environment, input: [],
        limit: .seconds(10))
      if !listed.output.isEmpty { break }
      try await host.sleep(.milliseconds(50))
    }
    let sessions = try await transcript.run("quartet session list")
    try transcript.check(sessions.contains(open), "the session is listed")
    try await transcript.run("quartet target delete \(open)", expecting: 6)
    transcript.say(
      "   With --force logins are refused first, then the session is closed and its end awaited.")
    try await transcript.run("quartet target delete \(open) --force")
  }

  private func end(isMirrored: Bool) async throws {
    transcript.say("10. The rest is taken down, and tgtd ended.")
    try await transcript.run("quartet target delete \(guarded)")
    try await transcript.run("tgtadm --mode system --op delete")
    try await transcript.run("quartet target list", expecting: 8)
    if isMirrored {
      try await transcript.run("quartet volume detach demo/lun1")
      try await transcript.run("quartet pool remove-volume demo/lun1")
      try await transcript.run("quartet pool remove demo")
      transcript.say("Done: mirrored, exported, reached, written while a disk failed, repaired, taken down.")
    } else {
      transcript.say("Done: exported, reached, written, read back, taken down.")
    }
  }
}
