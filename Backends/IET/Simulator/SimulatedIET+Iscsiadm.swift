import HostInterface
import Simulation

/// open-iscsi's iscsiadm(8), as far as the recordings use it: discovery, login, logout, a new look at the units.
extension SimulatedIET {
  func iscsiadm(_ argv: [String], on host: SimulatedHost) -> CommandResult {
    func value(_ option: String) -> String? {
      argv.firstIndex(of: option).flatMap { $0 + 1 < argv.count ? argv[$0 + 1] : nil }
    }
    let interface = value("-I") ?? "default"
    let portal = (value("-p") ?? "127.0.0.1").filter { $0 != "[" && $0 != "]" }
    switch (value("-m"), value("-T")) {
    case ("discovery", _): return discover(interface, portal, on: host)
    case ("node", let target?) where argv.contains("-l"): return logIn(interface, target, portal, on: host)
    case ("node", let target?) where argv.contains("-u"):
      logOut(name(of: interface), from: target)
      return CommandResult(status: 0)
    case ("session", _) where argv.contains("-R"):
      let lines = machine.withLock { machine in
        machine.initiators.logins.filter { $0.sid != nil }.map {
          "Rescanning session [sid: \($0.number), target: \($0.target), portal: \($0.portal),\(3260)]\n"
        }
      }
      return CommandResult(status: 0, output: Array(lines.joined().utf8))
    default: return CommandResult(status: 7, errors: "iscsiadm: not modelled\n")
    }
  }

  private func name(of interface: String) -> String {
    machine.withLock { $0.initiators.interfaces[interface] ?? "" }
  }

  private func discover(_ interface: String, _ portal: String, on host: SimulatedHost) -> CommandResult {
    let files = accessFiles(on: host)
    let initiator = name(of: interface)
    do throws(LoginRefusal) {
      let found = try machine.withLock { machine throws(LoginRefusal) in
        try machine.discover(initiator, at: portal, machine.initiators.accounts["discovery"], files)
      }
      guard !found.isEmpty else { return CommandResult(status: 21, errors: "iscsiadm: No portals found\n") }
      let lines = found.map { address, target in
        "\(address.contains(":") ? "[\(address)]" : address):3260,1 \(target)\n"
      }
      return CommandResult(status: 0, output: Array(lines.joined().utf8))
    } catch {
      guard error == .unauthorized else {
        return CommandResult(status: 4, errors: "iscsiadm: cannot make connection to \(portal)\n")
      }
      return CommandResult(
        status: 24,
        errors: """
          iscsiadm: Login failed to authenticate with target\u{20}
          iscsiadm: discovery login to \(portal) rejected: initiator failed authorization
          iscsiadm: Could not perform SendTargets discovery: iSCSI login failed due to authorization failure

          """)
    }
  }

  private func logIn(_ interface: String, _ target: String, _ portal: String, on host: SimulatedHost)
    -> CommandResult
  {
    let initiator = name(of: interface)
    let account = machine.withLock { $0.initiators.accounts[interface] }
    let place = "[iface: \(interface), target: \(target), portal: \(portal),3260]"
    let begin = "Logging in to \(place)\n"
    machine.withLock { $0.removeLogin(of: initiator, to: target, at: portal) }
    do throws(LoginRefusal) {
      try logIn(
        initiator, to: target, at: portal, account: account, wantsDigests: interface != "default",
        comesBack: true,
        on: host)
      return CommandResult(status: 0, output: Array("\(begin)Login to \(place) successful.\n".utf8))
    } catch {
      let (status, reason): (Int32, String) =
        error == .unauthorized
        ? (24, "iSCSI login failed due to authorization failure")
        : (19, "encountered non-retryable iSCSI login failure")
      return CommandResult(
        status: status, output: Array(begin.utf8),
        errors: """
          iscsiadm: Could not login to \(place).
          iscsiadm: initiator reported error (\(status) - \(reason))
          iscsiadm: Could not log into all portals

          """)
    }
  }
}
