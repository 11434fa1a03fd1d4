import HostInterface
import Simulation
import Synchronization
import SystemPackage
import Testing

@testable import ReplicatedVolume

/// One node's DRBD and LVM as far as roles and activation go; the answers are those of the recordings.
private final class RoleTools: SimulatedService {
  struct State: Equatable {
    var isPrimary = false
    var isActive = false
    /// Whether it reports success and activates nothing.
    var isDeaf = false
  }
  let state = Mutex(State())
  let programs = ["drbdadm", "drbdsetup", "lvm"]
  private let xml: String
  private let events: String

  init() throws {
    xml = try Recorded.output("DRBD/lifecycle", 10)
    events = try Recorded.output("DRBD/lifecycle", 94)
  }

  func attach(to host: SimulatedHost) {
    host.addFile("/proc/sys/kernel/hostname", text: "mike\n")
    host.addFile("/proc/drbd", text: "version: 8.4.11 (api:1/proto:86-101)\n")
    host.addFile("/etc/drbd.d/vg1.res", text: "resource vg1 {}\n")
  }

  func run(_ invocation: SimulatedInvocation, on host: SimulatedHost) -> SimulatedOutcome? {
    func answer(_ status: Int32, _ output: String = "", _ errors: String = "") -> SimulatedOutcome {
      .ended(CommandResult(status: status, output: Array(output.utf8), errors: errors))
    }
    let words = Array(invocation.argv.dropFirst())
    return state.withLock { state in
      switch (invocation.program, words.first ?? "") {
      case ("drbdadm", "dump-xml"): return answer(0, xml)
      case ("drbdadm", "primary"):
        state.isPrimary = true
        return answer(0)
      case ("drbdadm", "secondary"):
        guard !state.isActive else {
          return answer(11, "", "0: State change failed: (-12) Device is held open by someone\n")
        }
        state.isPrimary = false
        return answer(0)
      case ("drbdsetup", "events2"):
        return answer(0, state.isPrimary ? events : events.replacing("role:Primary", with: "role:Secondary"))
      case ("lvm", "fullreport"):
        guard state.isPrimary else { return answer(0, "{\"report\": []}") }
        let report = String(decoding: Reports.full, as: UTF8.self)
        return answer(0, state.isActive ? report : report.replacing("\"active\"", with: "\"\""))
      case ("lvm", "pvs"): return answer(0, "{\"report\": []}")
      case ("lvm", "vgchange"):
        state.isActive = state.isPrimary && words.contains("y") && !state.isDeaf
        return answer(0)
      default: return answer(3, "", "the test does not know \(invocation.argv)\n")
      }
    }
  }
}

/// Switch-over with a fault at every step: it is done, or it is as before, and a second run finishes it.
@Suite struct RoleFaultTests {
  private static func changes(_ call: HostCall) -> Bool {
    guard case .run(let argv) = call else { return false }
    return ["primary", "secondary", "vgchange"].contains { argv.contains($0) }
  }

  @Test(arguments: [true, false], [HostFault.error(.ioError), .kill, .killAfter, .hang, .hangAfter])
  func everyStepMayFail(_ promotes: Bool, _ fault: HostFault) async throws {
    let change = promotes ? VolumeChange.promote(try ResourceName("vg1")) : .demote(try ResourceName("vg1"))
    let before = RoleTools.State(isPrimary: !promotes, isActive: !promotes)
    let after = RoleTools.State(isPrimary: promotes, isActive: promotes)
    for position in 1...2 {
      let tools = try RoleTools()
      tools.state.withLock { $0 = before }
      let machine = SimulatedHost(services: [tools])
      let host = FaultingHost(machine, failing: position, with: fault, isMutating: Self.changes)
      let failure = await #expect(throws: Failure.self) { try await VolumeDriver(on: host).perform([change]) }
      let left = tools.state.withLock { $0 }
      if fault != .kill, fault != .killAfter {
        #expect(left == before, "\(fault) at \(position): \(left)")
        #expect(failure?.leftovers == [])
      }
      // A process that was killed undid nothing; the next one finishes.
      try await VolumeDriver(on: machine).perform([change])
      #expect(tools.state.withLock { $0 } == after, "\(fault) at \(position)")
      let again = try await VolumeDriver(on: machine).perform([change])
      #expect(again.changes.isEmpty)
    }
  }

  @Test func aDryRunTouchesNothing() async throws {
    let tools = try RoleTools()
    let host = FaultingHost(SimulatedHost(services: [tools]), failing: 1, isMutating: Self.changes)
    var options = VolumeDriver.Options()
    options.dryRun = true
    let proposal = try await VolumeDriver(on: host).perform([.promote(ResourceName("vg1"))], options: options)
    #expect(proposal.plan.steps.count == 2 && host.callCount == 0)
    #expect(tools.state.withLock { $0 } == RoleTools.State())
  }

  @Test func whatIsNotTakenIsTold() async throws {
    let tools = try RoleTools()
    tools.state.withLock { $0.isDeaf = true }
    let host = SimulatedHost(services: [tools])
    let failure = await #expect(throws: Failure.self) {
      try await VolumeDriver(on: host).perform([.promote(ResourceName("vg1"))])
    }
    #expect(failure?.code == .notTaken && failure?.answer == "volume lun1 is not active")
  }

  @Test func whatIsNotPrimaryHereIsNotExported() async throws {
    let tools = try RoleTools()
    let host = SimulatedHost(services: [tools])
    host.addBlockDevice("/dev/drbd0", size: 1 << 28, number: "147:0")
    host.addBlockDevice("/dev/vda", size: 1 << 28, number: "254:0")
    host.addBlockDevice("/dev/mapper/vg1-lun1", size: 1 << 24, number: "253:0")
    host.addFile("/sys/dev/block/253:0/slaves/drbd0/dev", text: "147:0\n")
    let driver = VolumeDriver(on: host)
    func refusal(_ path: String) async -> Failure? {
      do {
        try driver.refuseUnlessPrimary(path, for: "lun 1 of x", in: try await driver.read())
        return nil
      } catch { return error as? Failure }
    }
    for path in ["/dev/drbd0", "/dev/mapper/vg1-lun1", "/dev/vg1/lun1"] {
      #expect(
        await refusal(path)?.problem.contains("resource vg1 is not primary on this node") == true, "\(path)")
    }
    #expect(await refusal("/dev/vda")?.remedy?.contains("/dev/drbd0") == true)
    #expect(await refusal("/srv/disk1") == nil)
    tools.state.withLock { $0 = RoleTools.State(isPrimary: true, isActive: true) }
    for path in ["/dev/drbd0", "/dev/mapper/vg1-lun1"] { #expect(await refusal(path) == nil, "\(path)") }
  }
}
