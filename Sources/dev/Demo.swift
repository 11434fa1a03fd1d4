import ArgumentParser
import Glibc
import HostInterface
import LinuxHost
import SystemPackage

struct DemoCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo",
    abstract: "Exports disks with a tgtd of its own, reaches them with real initiators, and takes all down.")

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

  init(_ place: PrivateTgtd) throws {
    self.place = place
    transcript = Transcript(
      host: place.host, environment: place.environment, quartet: try builtQuartet(on: place.host))
  }

  func run() async throws {
    try await start()
    try await export()
    try await look()
    try await moveData()
    try await proveIdentity()
    try await closeSession()
    try await end()
  }

  private func path(_ name: String) -> FilePath { place.directory.appending(name) }
  private func url(_ target: String) -> String { "iscsi://\(place.portal)/\(target)/1" }

  private func start() async throws {
    transcript.say("1. A tgtd of its own, in \(place.directory); needs no root and no kernel module.")
    try await transcript.run("quartet start --setting portals=\(place.portal)")
    try await transcript.run("quartet implementations")
  }

  private func export() async throws {
    transcript.say("2. What is to be exported: one disk for this machine, one for who knows a secret.")
    let first = try place.backing("disk1.img", bytes: 16 << 20)
    let second = try place.backing("disk2.img", bytes: 32 << 20)
    try place.host.replace(path("jack.secret"), with: Array("a-secret-of-the-demo\n".utf8), mode: 0o600)
    let state = """
      quartet: 1
      targets:
        - name: \(open)
          initiators: [127.0.0.1]
          luns: [{lun: 1, path: \(first), vendor: QUARTET, product: DEMO}]
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
    try await transcript.run("quartet target list")
    try await transcript.run("quartet lun list")
  }

  private func look() async throws {
    transcript.say("3. A real initiator (libiscsi) finds the targets and asks the disk who it is.")
    let listed = try await transcript.run("iscsi-ls iscsi://\(place.portal)")
    try transcript.check(listed.contains(open), "\(open) is found by discovery")
    let inquiry = try await transcript.run("iscsi-inq \(url(open))")
    try transcript.check(inquiry.contains("QUARTET"), "the disk has the vendor of the state file")
    try await transcript.run("iscsi-readcapacity16 \(url(open))")
  }

  private func moveData() async throws {
    transcript.say(
      "4. Data through the wire (QEMU's initiator), compared with the backing file, and read back.")
    let payload = (0..<(16 << 20) / 8).flatMap { _ in
      withUnsafeBytes(of: UInt64.random(in: .min ... .max), Array.init)
    }
    try place.host.replace(path("payload"), with: payload, mode: 0o600)
    try await transcript.run("qemu-img convert -n -f raw -O raw \(path("payload")) \(url(open))")
    try await transcript.run("cmp \(path("payload")) \(path("disk1.img"))")
    try transcript.check(true, "the 16 MiB that were written are what the backing file holds")
    try await transcript.run("qemu-img convert -f raw -O raw \(url(open)) \(path("read-back"))")
    try await transcript.run("cmp \(path("payload")) \(path("read-back"))")
    try transcript.check(true, "and what comes back through the wire")
  }

  private func proveIdentity() async throws {
    transcript.say("5. The second disk wants a proof (CHAP): no secret, a wrong one, the right one.")
    let wrong = ["LIBISCSI_CHAP_USERNAME": "jack", "LIBISCSI_CHAP_PASSWORD": "not-the-secret"]
    let right = ["LIBISCSI_CHAP_USERNAME": "jack", "LIBISCSI_CHAP_PASSWORD": "a-secret-of-the-demo"]
    try await transcript.run("iscsi-inq \(url(guarded))", expecting: 10)
    try await transcript.run("iscsi-inq \(url(guarded))", also: wrong, expecting: 10)
    try await transcript.run("iscsi-inq \(url(guarded))", also: right)
  }

  private func closeSession() async throws {
    transcript.say("6. An initiator stays logged in: the session is seen, and keeps its target from going.")
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

  private func end() async throws {
    transcript.say("7. The rest is taken down, and tgtd ended.")
    try await transcript.run("quartet target delete \(guarded)")
    try await transcript.run("quartet target list")
    try await transcript.run("tgtadm --mode system --op delete")
    try await transcript.run("quartet target list", expecting: 8)
    transcript.say("Done: exported, reached, written, read back, taken down.")
  }
}
