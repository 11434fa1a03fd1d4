import HostInterface
import Quartet
import SCSTBackend
import SCSTSimulator
import SystemPackage
import TargetCore
import Testing

/// The ways in which a command's outcome is told, and what is made of each.
@Suite struct ProtocolTests {
  private let name: TargetName
  private let machine = SCSTMachine()
  private let scst: Implementation

  init() throws {
    name = try TargetName("iqn.2011-12.com.example:disk1")
    scst = try machine.implementation()
    for number in 0..<3 { machine.host.addFile(FilePath("/srv/disk\(number)"), size: 1 << 20) }
  }

  private func unit(_ lun: Int) throws -> LogicalUnit {
    var unit = LogicalUnit(lun: try LUN(lun), backing: .path("/srv/disk\(lun)"))
    unit.attributes["device"] = "d\(lun)"
    return unit
  }

  /// EAGAIN is no refusal: the command goes on, and the tree proves what became of it.
  @Test(arguments: [0, 3]) func commandsThatArePutOffAreAwaited(polls: Int) async throws {
    machine.scst.answerLater(polls: polls)
    try await scst.perform([
      .createTarget(name, id: 7), .addUnit(name, try unit(0)), .allow(name, .all), .enableTarget(name),
    ])
    let target = try await scst.read().targets[name]
    #expect(target?.id == 7 && target?.units.count == 1 && target?.enabled == true)
    try await scst.perform([.deleteTarget(name, force: false)])
    #expect(try await scst.read().targets.isEmpty)
  }

  /// The refusal of a command that was put off is told by its result, since nothing is in the tree.
  @Test func refusalsThatArePutOffAreTold() async throws {
    try await scst.perform([.createTarget(name, id: nil)])
    machine.scst.answerLater(polls: 2)
    let unit = try unit(0)
    var options = PerformOptions()
    // The file goes before its device is made.
    options.announce = { [machine] _ in machine.host.remove("/srv/disk0") }
    let failed = await failure { try await scst.perform([.addUnit(name, unit)], options: options) }
    #expect(failed?.errno == .noSuchFileOrDirectory)
    #expect(failed?.leftovers == [])
  }

  @Test func aCommandThatASignalInterruptsIsCarriedOut() async throws {
    machine.scst.interruptNextCommand()
    try await scst.perform([.createTarget(name, id: nil)])
    #expect(try await scst.read().targets.count == 1)
  }

  /// A write that does not return is left at work, and said to be so.
  @Test func aCommandThatDoesNotEndIsSaidToBeRunning() async throws {
    try await scst.perform([
      .createTarget(name, id: nil), .addUnit(name, try unit(0)), .addUnit(name, try unit(1)),
      .allow(name, .all), .enableTarget(name),
    ])
    try machine.scst.logIn("iqn.2011-12.com.example:ini1", to: "\(name)")
    machine.scst.freeze("d0")
    let start = machine.host.now
    let failed = await failure {
      try await scst.perform([.removeUnit(name, try LUN(0), force: true)])
    }
    #expect(failed?.code == .stillRunning, "\(failed as Any)")
    #expect(failed?.description.contains("goes on with it") == true)
    #expect(machine.host.now - start < .seconds(600))
    machine.scst.thaw()
  }

  @Test func aSlowCommandIsNoError() async throws {
    machine.scst.delayNextWrite(by: .seconds(20))
    try await scst.perform([.createTarget(name, id: nil)])
    #expect(try await scst.read().targets.count == 1)
  }

  /// Reads that go through the queue are asked again.
  @Test func readsThatArePutOffAreRepeated() async throws {
    try await scst.perform([.createTarget(name, id: nil), .addUnit(name, try unit(0)), .allow(name, .all)])
    machine.scst.refuseReads(3)
    #expect(try await scst.read().targets[name]?.units.values.first?.backing == .path("/srv/disk0"))
    machine.scst.refuseReads(1000)
    let failed = await failure { _ = try await scst.read() }
    #expect(failed?.errno == .resourceTemporarilyUnavailable)
  }

  /// What another program takes away at the same time is told, and a second run repairs it.
  @Test func aDeviceThatVanishesIsTold() async throws {
    try await scst.perform([.createTarget(name, id: nil)])
    var options = PerformOptions()
    options.observe = { [machine] event in
      if case .starting(_, number: 2, _) = event { machine.scst.removeDevice("d0") }
    }
    let change = [Change.addUnit(name, try unit(0)), .allow(name, .all)]
    let failed = await failure { try await scst.perform(change, options: options) }
    #expect(failed != nil)
    try await scst.perform(change)
    #expect(try await scst.read().targets[name]?.units.count == 1)
  }

  /// A refusal of SCST's own is explained.
  @Test func errorNumbersAreExplained() async throws {
    try await scst.perform([.createTarget(name, id: nil)])
    for (number, word) in [
      (Errno.invalidArgument, "parameter"), (.fileExists, "exists"), (.resourceBusy, "open for itself"),
      (Errno(rawValue: 15), "block device"),
    ] {
      machine.scst.refuseNextCommand(with: number)
      let failed = await failure { try await scst.perform([.addUnit(name, try unit(0))]) }
      #expect(failed?.description.contains(word) == true, "\(failed as Any)")
      #expect(try await scst.read().targets[name]?.units.isEmpty == true)
    }
  }

  /// Growing is seen when SCST is told to look.
  @Test func aUnitGrowsInPlace() async throws {
    try await scst.perform([.createTarget(name, id: nil), .addUnit(name, try unit(0)), .allow(name, .all)])
    machine.host.resize("/srv/disk0", to: 3 << 20)
    #expect(try await scst.read().targets[name]?.units.values.first?.size == 1 << 20)
    try await scst.perform([.resizeUnit(name, try LUN(0), size: nil)])
    #expect(try await scst.read().targets[name]?.units.values.first?.size == 3 << 20)
  }

  /// Groups take patterns of names, and who matches sees the group's map.
  @Test func initiatorsMayBeNamedByAPattern() async throws {
    let all = try Initiator("iqn.1991-05.com.microsoft:*")
    var other = try unit(1)
    other.initiators = [try Initiator("iqn.2011-12.com.example:ini1")]
    try await scst.perform([
      .createTarget(name, id: nil), .addUnit(name, try unit(0)), .addUnit(name, other), .allow(name, all),
      .allow(name, try Initiator("iqn.2011-12.com.example:ini1")), .enableTarget(name),
    ])
    let target = try await scst.read().targets[name]
    #expect(target?.initiators == [all, try Initiator("iqn.2011-12.com.example:ini1")])
    func seen(by initiator: String) -> [Int] {
      machine.scst.units(of: "\(name)", seenBy: initiator).keys.sorted()
    }
    #expect(seen(by: "iqn.1991-05.com.microsoft:host7") == [0])
    #expect(seen(by: "iqn.2011-12.com.example:ini1") == [0, 1])
    #expect(seen(by: "iqn.2011-12.com.example:ini2") == [])
    try await scst.perform([.deny(name, all)])
    #expect(seen(by: "iqn.1991-05.com.microsoft:host7") == [])
  }

  /// Initiators look at LUN 0 first.
  @Test func aTargetWithoutLUN0IsWarnedOf() async throws {
    var options = PerformOptions()
    options.dryRun = true
    let proposal = try await scst.perform(
      [.createTarget(name, id: nil), .addUnit(name, try unit(1))], options: options)
    #expect(proposal.warnings.contains { $0.contains("no lun 0") }, "\(proposal.warnings)")
  }

  /// What this version does not know of another is kept where it is a setting, and harms nothing.
  @Test func attributesThatAreNotKnownAreKept() async throws {
    try await scst.perform([.createTarget(name, id: nil), .addUnit(name, try unit(0)), .allow(name, .all)])
    machine.scst.putFile("devices/d0/new_setting", "7\n[key]\n")
    machine.scst.putFile("devices/d0/new_default", "1\n")
    machine.scst.putFile("targets/iscsi/\(name)/new_parameter", "9\n[key]\n\n")
    let target = try await scst.read(ReadDetail(parameters: .all, shared: true)).targets[name]
    #expect(target?.units.values.first?.attributes["new_setting"] == "7")
    #expect(target?.units.values.first?.attributes["new_default"] == nil)
    #expect(target?.attributes["new_parameter"] == "9")
    let state = try await scst.read(ReadDetail(parameters: .all, shared: true))
    let text = try #require(BackendDescriptor.scst.formats["scst.conf"]).write(state)
    #expect(text.contains("new_setting 7") && text.contains("new_parameter 9"))
  }
}
