import HostInterface
import LinuxHost
import SystemPackage
import TargetCore
import Testing

/// The kernel's own initiator, driven by open-iscsi's `iscsiadm` as an administrator would, in a guest.
struct OpenISCSI {
  /// The initiator's name.
  static let name = "iqn.1993-08.org.debian:01:guest"

  /// The exit status of `iscsiadm` when the target did not let the initiator in (iscsiadm(8)).
  static let refused: Int32 = 24
  /// Its exit status when the initiator would not go on.
  static let failed: Int32 = 19
  /// Its exit status when no objects were found.
  private static let noObjects: Int32 = 21

  /// The daemon serves the whole guest, so it is started once.
  private static let daemon = Task {
    let host = LocalHost()
    for module in ["iscsi_tcp", "sd_mod", "sg", "ext4"] { try host.loadModule(module) }
    try host.replace(
      "/etc/iscsi/initiatorname.iscsi", with: Array("InitiatorName=\(name)\n".utf8), mode: 0o600)
    // A first login is tried once; what a lost session holds outlives what a busy machine takes to bring it back.
    let settings = """
      node.startup = manual
      node.session.initial_login_retry_max = 1
      node.session.timeo.replacement_timeout = 240
      node.session.scan = auto

      """
    try host.replace("/etc/iscsi/iscsid.conf", with: Array(settings.utf8), mode: 0o600)
    try await shell("iscsid -f >/run/iscsid.log 2>&1 </dev/null &")
    try await eventually("iscsid answers") {
      try await LocalHost().run(
        ["iscsiadm", "-m", "session"], environment: [:], input: [], limit: .seconds(60)
      ).status == noObjects
    }
  }

  private let portal: String
  private let target: TargetName
  private let name: String
  private let interface: String

  /// An initiator as it sees one target at one portal; logs nothing in.
  ///
  /// - Parameter name: Whom it says to be; any but the guest's own is one and the same interface of `iscsiadm`.
  init(_ target: TargetName, at portal: String, as name: String = name) async throws {
    try await Self.daemon.value
    self.portal = portal
    self.target = target
    self.name = name
    interface = name == Self.name ? "default" : "other"
  }

  /// Ends every session, and forgets every target that was found.
  static func forgetAll() async throws {
    try await daemon.value
    // iscsid refuses to end a session while it connects anew, as on a busy machine it may.
    try await eventually("every session ends") {
      [0, noObjects].contains(try await administer(["-m", "node", "-U", "all"]).status)
    }
    try await shell("rm -rf /etc/iscsi/nodes /etc/iscsi/send_targets /etc/iscsi/ifaces")
  }

  // MARK: Login

  /// The targets that a discovery names.
  func discover(_ settings: [String: String] = [:]) async throws -> [String] {
    let record = ["-m", "discoverydb", "-t", "sendtargets", "-p", portal]
    _ = try await administer(record + ["-o", "new"])
    for (key, value) in settings.sorted(by: { $0.key < $1.key }) {
      _ = try await administer(record + ["-o", "update", "-n", "discovery.sendtargets.\(key)", "-v", value])
    }
    let result = try await Self.administer(record + ["--discover"])
    guard result.status == 0 else { return [] }
    // 127.0.0.1:3260,1 iqn.2011-12.com.example:disk1
    return String(decoding: result.output, as: UTF8.self).split(separator: "\n").compactMap {
      $0.split(separator: " ").last.map(String.init)
    }
  }

  /// The exit status of a login with these settings of the node's record; 0 when a session stands.
  func logIn(_ settings: [String: String] = [:]) async throws -> Int32 {
    if name != Self.name {
      let own = ["-m", "iface", "-I", interface]
      _ = try await Self.administer(own + ["-o", "new"])
      _ = try await administer(own + ["-o", "update", "-n", "iface.initiatorname", "-v", name])
    }
    // A record that a discovery made knows the portal group; one beside it would be another session.
    if try await Self.administer(record).status != 0 { _ = try await administer(record + ["-o", "new"]) }
    for (key, value) in settings.sorted(by: { $0.key < $1.key }) {
      _ = try await administer(record + ["-o", "update", "-n", key, "-v", value])
    }
    return try await Self.administer(record + ["--login"]).status
  }

  /// Ends the sessions with the target.
  func logOut() async throws { _ = try await administer(record + ["--logout"]) }

  /// What the kernel says of the session, such as `LOGGED_IN`; nil when there is none.
  func state() throws -> String? {
    guard let session = try session() else { return nil }
    return try LocalHost().text(session.appending("state")).trimmed
  }

  // MARK: Disks

  /// The path of a logical unit's disk, waited for.
  func disk(_ lun: LUN) async throws -> String {
    var found: String?
    try await eventually("lun \(lun) of \(target) is seen") {
      found = try diskIfSeen(lun)
      return found != nil
    }
    return try #require(found)
  }

  /// The path of a logical unit's disk if the kernel has it.
  func diskIfSeen(_ lun: LUN) throws -> String? {
    let host = LocalHost()
    guard let session = try session() else { return nil }
    let device = session.appending("device")
    for target in try host.list(device) where target.hasPrefix("target") {
      for unit in try host.list(device.appending(target)) where unit.hasSuffix(":\(lun)") {
        let blocks = device.appending(target).appending(unit).appending("block")
        if let name = try? host.list(blocks).first { return "/dev/\(name)" }
      }
    }
    return nil
  }

  /// Looks for other logical units, and for what changed in those that are known.
  func rescan() async throws { _ = try await administer(record + ["--rescan"]) }

  private var record: [String] { ["-m", "node", "-T", "\(target)", "-p", portal, "-I", interface] }

  private func session() throws -> FilePath? {
    let host = LocalHost()
    let folder: FilePath = "/sys/class/iscsi_session"
    return try host.list(folder).map { folder.appending($0) }.first {
      (try? host.text($0.appending("targetname")).trimmed) == "\(target)"
        && (try? host.text($0.appending("initiatorname")).trimmed) == name
    }
  }

  private static func administer(_ argv: [String]) async throws -> CommandResult {
    try await LocalHost().run(["iscsiadm"] + argv, environment: [:], input: [], limit: .seconds(60))
  }

  private func administer(_ argv: [String]) async throws -> CommandResult {
    let result = try await Self.administer(argv)
    try #require(result.status == 0, "iscsiadm \(argv): \(result.errors)")
    return result
  }
}

/// What a shell's command prints; the test fails where it fails, or takes more than a minute.
@discardableResult
func shell(_ text: String, _ words: String...) async throws -> String {
  let result = try await runShell(text, words)
  try #require(result.status == 0, "\(text) \(words): \(result.errors)")
  return String(decoding: result.output, as: UTF8.self).trimmed
}

/// The exit status of a shell's command.
func status(_ text: String, _ words: String...) async throws -> Int32 {
  try await runShell(text, words).status
}

private func runShell(_ text: String, _ words: [String]) async throws -> CommandResult {
  try await LocalHost().run(
    ["sh", "-e", "-c", text, "sh"] + words, environment: [:], input: [], limit: .seconds(60))
}

/// Waits until something holds; the test fails where it does not in a minute.
func eventually(_ what: Comment, _ holds: () async throws -> Bool) async throws {
  let deadline = ContinuousClock.now + .seconds(60)
  while try await !holds() {
    try #require(ContinuousClock.now < deadline, what)
    try await Task.sleep(for: .milliseconds(50))
  }
}
