import HostInterface
import LinuxHost
import Quartet
import SystemPackage
import TargetCore
import Testing
import VirtualMachine

/// Quartet and targetcli on one kernel.
@Suite(.serialized, .enabled(if: Guest.isHere, "needs a kernel of its own; VMTests run it in a guest"))
struct GuestTargetcliTests {
  let host = LocalHost()

  @discardableResult
  private func run(_ argv: [String], input: String = "") async throws -> String {
    let result = try await host.run(
      argv, environment: ["HOME": "/root", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"], input: Array(input.utf8),
      limit: .seconds(60))
    let output = String(decoding: result.output, as: UTF8.self)
    try #require(result.status == 0, "\(argv): \(output)\(result.errors)")
    // targetctl prints what it could not restore and ends well.
    let lines = (output + result.errors).lowercased().split(separator: "\n")
    let complaint = lines.filter { !$0.contains("could not load preferences") }.joined(separator: "\n")
    for word in ["error", "traceback", "could not", "cannot", "exception", "invalid", "not found"] {
      #expect(!complaint.contains(word), "\(argv): \(output)\(result.errors)")
    }
    return output
  }

  private func read(_ lio: Implementation) async throws -> LiveState {
    try await lio.read(ReadDetail(parameters: .all, shared: true))
  }

  private static let script = """
    /backstores/fileio create file1 /run/theirs1 16M
    /backstores/ramdisk create ram1 1M
    /iscsi create iqn.2003-01.org.linux-iscsi.theirs:disk
    /iscsi/iqn.2003-01.org.linux-iscsi.theirs:disk/tpg1/luns create /backstores/fileio/file1
    /iscsi/iqn.2003-01.org.linux-iscsi.theirs:disk/tpg1/luns create /backstores/ramdisk/ram1 lun=3
    /iscsi/iqn.2003-01.org.linux-iscsi.theirs:disk/tpg1/acls create iqn.1993-08.org.debian:01:one
    /iscsi/iqn.2003-01.org.linux-iscsi.theirs:disk/tpg1 set attribute authentication=0 login_timeout=20
    /iscsi/iqn.2003-01.org.linux-iscsi.theirs:disk/tpg1 set parameter MaxBurstLength=131072
    /iscsi/iqn.2003-01.org.linux-iscsi.theirs:disk/tpg1/acls/iqn.1993-08.org.debian:01:one set attribute nopin_timeout=7
    /backstores/fileio/file1 set attribute emulate_tpu=1 is_nonrot=1
    /backstores/fileio/file1/alua create name=second tag=7

    """

  private func document() throws -> DesiredState {
    var spec = TargetSpec(name: try TargetName("iqn.2011-12.com.example:ours"))
    var unit = LogicalUnit(lun: try LUN(0), backing: try Backing(path: "/run/ours1"))
    unit.attributes = ["alua_access_state": "1", "max_unmap_lba_count": "64"]
    var second = LogicalUnit(lun: try LUN(7), backing: try Backing(path: "/run/ours2"))
    (second.readOnly, second.cache, second.thin) = (true, .back, true)
    spec.units = [unit, second]
    spec.initiators = [.name(try ISCSIName("iqn.1993-08.org.debian:01:web"))]
    func account(_ user: String) throws -> CHAPAccount {
      try CHAPAccount(user: CHAPUser(user), secret: Secret("secret-of-\(user)".utf8))
    }
    spec.chap = CHAPSpec(incoming: [try account("jack")], outgoing: .some(try account("target")))
    spec.portals = [try Portal("127.0.0.1:3261"), try Portal("[::1]:3261")]
    spec.parameters = [.initialR2T: "No"]
    spec.attributes = ["default_cmdsn_depth": "32"]
    return DesiredState(targets: [spec], discovery: CHAPSpec(incoming: [try account("finder")]))
  }

  @Test func eachSeesAndKeepsWhatTheOtherMade() async throws {
    for folder in ["/run/dbus", "/etc/target"] where try host.status(FilePath(folder)) == nil {
      try host.createDirectory(FilePath(folder))
    }
    try await run(["dbus-daemon", "--system", "--fork"])
    try await run(["truncate", "-s", "8M", "/run/ours1", "/run/ours2"])
    let lio = try Implementation(ImplementationChoice.named("lio"), on: host)
    _ = try await lio.start()
    try await run(["targetcli"], input: Self.script)

    // What targetcli made is read, and what the model has no place for stays when something is applied to it.
    let name = try TargetName("iqn.2003-01.org.linux-iscsi.theirs:disk")
    let theirs = try #require(try await read(lio).targets[name])
    #expect(try theirs.enabled && theirs.portals == [Portal("0.0.0.0:3260")])
    #expect(theirs.parameters[.maxBurstLength] == "131072" && theirs.attributes["login_timeout"] == "20")
    #expect(try theirs.units.mapValues(\.scsiID) == [LUN(0): "file1", LUN(3): "ram1"])
    #expect(try theirs.units[LUN(0)]?.attributes["is_nonrot"] == "1")
    var patch = TargetSpec(name: name)
    patch.parameters = [.maxBurstLength: "65536"]
    try await lio.apply(DesiredState(targets: [patch]))
    let node = "/sys/kernel/config/target/iscsi/\(name)/tpgt_1/acls/iqn.1993-08.org.debian:01:one"
    #expect(try host.text(FilePath(node + "/attrib/nopin_timeout")) == "7\n")

    // What Quartet made is shown and saved.
    try await lio.apply(document())
    let ours = try #require(try document().targets.first)
    let listed = try await run(["targetcli", "ls"])
    for word in ["\(ours.name)", "/run/ours2", "mapped_lun7", "[::1]:3261", "mutual auth"] {
      #expect(listed.contains(word), "\(word): \(listed)")
    }
    try await run(["targetctl", "save", "/run/saved.json"])
    let before = try await read(lio)
    let format = try #require(try ImplementationChoice.named("lio").formats["saveconfig"])
    try host.replace("/run/exported.json", with: Array(format.write(before).utf8), mode: 0o600)

    // targetctl restores what Quartet wrote, but for the state of the kernel's own port group, which rtslib passes over.
    try await run(["targetctl", "clear"])
    #expect(try await read(lio).targets.isEmpty)
    try await run(["targetctl", "restore", "/run/exported.json"])
    let restored = try await read(lio)
    var expected = try #require(before.targets[ours.name])
    try expected.units[LUN(0)]?.attributes["alua_access_state"] = "0"
    #expect(restored.targets[ours.name] == expected)
    #expect(restored.targets[name] == before.targets[name])
    #expect(restored.discovery == before.discovery)
    let changes = try await lio.apply(document()).changes
    #expect(changes.map(\.description) == ["set lun 0 of \(ours.name)"])

    // Quartet removes what targetctl made, and applies what it saved.
    try await lio.apply(DesiredState(), reconciling: Reconciler.Options(prune: true))
    #expect(try host.list("/sys/kernel/config/target/core") == ["alua"])
    let saved = try format.read(try host.text("/run/saved.json"))
    try await lio.apply(saved.state)
    let applied = try await read(lio)
    #expect(applied.targets[ours.name] == before.targets[ours.name])
    #expect(applied.targets[name] == before.targets[name])
    #expect(applied.discovery == before.discovery)
  }
}
