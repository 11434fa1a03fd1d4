import HostInterface
import Simulation
import SystemPackage

extension SimulatedIET {
  /// The access files as ietd finds them.
  func accessFiles(on host: SimulatedHost) -> IETMachine.AccessFiles {
    func text(_ name: String) -> [UInt8]? {
      for directory in ["/etc/iet", "/etc"] {
        if let bytes = try? host.read(FilePath(directory).appending(name)) { return bytes }
      }
      return nil
    }
    return IETMachine.AccessFiles(
      allow: text("initiators.allow"), deny: text("initiators.deny"), targets: text("targets.allow"))
  }

  /// Logs an initiator in over an address of the machine.
  ///
  /// - Parameters:
  ///   - portal: The address, by default loopback.
  ///   - comesBack: Whether it logs in again two seconds after its connection was closed, as open-iscsi does.
  /// - Throws: Why it is not let in.
  public func logIn(
    _ initiator: String, to target: String, at portal: String = "127.0.0.1", account: InitiatorAccount? = nil,
    wantsDigests: Bool = false, comesBack: Bool = false, on host: SimulatedHost
  ) throws(LoginRefusal) {
    let files = accessFiles(on: host)
    try machine.withLock { machine throws(LoginRefusal) in
      machine.initiators.count &+= 1
      var login = InitiatorSide.Login(
        initiator: initiator, target: target, portal: portal, account: account,
        number: machine.initiators.count,
        wantsDigests: wantsDigests, comesBack: comesBack)
      try machine.enter(&login, files)
      machine.initiators.logins.append(login)
    }
  }

  /// Logs initiators out: all, or those of one name, from all targets or from one.
  public func logOut(_ initiator: String? = nil, from target: String? = nil) {
    machine.withLock { machine in
      for login in machine.initiators.logins
      where initiator ?? login.initiator == login.initiator && target ?? login.target == login.target {
        if let sid = login.sid { machine.removeSession(sid) }
      }
      machine.initiators.logins.removeAll {
        initiator ?? $0.initiator == $0.initiator && target ?? $0.target == $0.target
      }
    }
  }

  /// The names of the initiators that are logged in to a target.
  public func initiators(of target: String) -> [String] {
    machine.withLock { machine in
      machine.kernel.targets.first { $0.name == target }?.sessions.map(\.initiator) ?? []
    }
  }

  /// Names the account that an interface of open-iscsi uses; `discovery` is discovery's.
  public func setAccount(_ account: InitiatorAccount?, of interface: String) {
    machine.withLock { $0.initiators.accounts[interface] = account }
  }

  /// Puts off the return of initiators whose connection was closed.
  func letInitiatorsBack() {
    let waiting = machine.withLock { machine in
      machine.isFrozen ? [] : machine.initiators.logins.filter { $0.sid == nil && $0.comesBack }.map(\.number)
    }
    for number in waiting { letBack(number, tries: 30) }
  }

  private func letBack(_ number: UInt16, tries: Int) {
    guard tries > 0, let host = machineHost else { return }
    host.perform(after: .seconds(2)) { [weak self] host in
      guard let self else { return }
      let files = self.accessFiles(on: host)
      let isBack = self.machine.withLock { machine in
        guard let index = machine.initiators.logins.firstIndex(where: { $0.number == number }),
          machine.initiators.logins[index].sid == nil
        else { return true }
        var login = machine.initiators.logins[index]
        guard (try? machine.enter(&login, files)) != nil else { return false }
        machine.initiators.logins[index] = login
        return true
      }
      if !isBack { self.letBack(number, tries: tries - 1) }
    }
  }
}
