import EmbeddedPool
import HostInterface
import ReplicatedVolume
import Simulation
import Synchronization
import SystemPackage
import Testing

/// The steps that give a volume a path, on a simulated machine.
@Suite struct AttachmentTests {
  /// A machine with the kernel's client or nbdfuse, and a pool that can be served.
  final class Scene: Sendable {
    let host = SimulatedHost()
    let places = PoolPlaces(descriptions: "/etc/quartet/pools", runtime: "/run/quartet")
    private let served = Mutex(false)

    init(nbd: Bool, fuse: Bool = true) {
      host.addFile("/proc/self/mounts", text: "")
      host.addCharacterDevice("/dev/fuse", number: "10:229")
      host.install(program: "modinfo") { _ in .ended(CommandResult(status: nbd ? 0 : 1)) }
      if nbd { host.install(module: "nbd") }
      host.install(program: "quartet") { [self] invocation in
        served.withLock { $0 = invocation.argv.contains("serve") }
        return .ended(CommandResult(status: 0))
      }
      host.install(program: "nbd-client") { [host] invocation in
        let isDisconnect = invocation.argv.contains("-d")
        let pid = FilePath("/sys/block/\(invocation.argv.last?.dropFirst(5) ?? "")/pid")
        if isDisconnect { host.remove(pid) } else { host.addFile(pid, text: "99\n") }
        return .ended(CommandResult(status: 0))
      }
      guard fuse else { return }
      host.install(program: "nbdfuse")
      host.install(program: "setsid") { [host] invocation in
        host.addFile("/proc/self/mounts", text: "/dev/fuse \(invocation.argv[5]) fuse rw 0 0\n")
        host.resize(FilePath(invocation.argv[5]), to: 1 << 20)
        host.addFile(FilePath(invocation.argv[4]), text: "98")
        return .ended(CommandResult(status: 0))
      }
      host.install(program: "umount") { [host] _ in
        host.addFile("/proc/self/mounts", text: "")
        return .ended(CommandResult(status: 0))
      }
    }

    var server: Int32? { served.withLock { $0 ? 77 : nil } }
    var attachment: VolumeAttachment {
      get throws {
        VolumeAttachment(
          of: try VolumePath("vg1/lun1"), in: EmbeddedPools(on: host, places: places), quartet: "quartet")
      }
    }
    func attachPlan() async throws -> Plan {
      try await attachment.attachPlan(server: server, way: attachment.way(nil))
    }
    func run(_ plan: Plan) async throws {
      try await Executor(judge: VolumeAttachment.judge).run(plan, on: host)
    }
    var state: VolumeAttachment.State { get throws { try attachment.state(isServed: server != nil) } }
  }

  @Test func theKernelsClientComesFirst() async throws {
    let scene = Scene(nbd: true)
    let plan = try await scene.attachPlan()
    let commands = plan.steps.map(\.operation.display)
    #expect(commands.contains("modprobe nbd"))
    #expect(commands.contains("nbd-client -unix /run/quartet/pools/vg1.nbd -name lun1 /dev/nbd0"))
    try await scene.run(plan)
    #expect(try scene.state == .nbd(device: "/dev/nbd0"))
    #expect(try await scene.attachPlan().isEmpty)
  }

  @Test func nbdfuseTakesItsPlace() async throws {
    let scene = Scene(nbd: false)
    try await scene.run(scene.attachPlan())
    #expect(try scene.state == .fuse)
    #expect(try await scene.attachPlan().isEmpty)
  }

  @Test func withoutBothItIsSaidWhatIsMissing() async throws {
    let scene = Scene(nbd: false, fuse: false)
    let failure = await #expect(throws: Failure.self) { try await scene.attachPlan() }
    #expect(failure?.code == .unavailable)
    #expect(failure?.remedy?.contains("nbdfuse") == true)
  }

  @Test(arguments: [true, false])
  func aRunThatIsKilledAnywhereIsFinishedByTheNext(nbd: Bool) async throws {
    let count = try await Scene(nbd: nbd).attachPlan().steps.count
    #expect(count > 5)
    for stop in 0...count {
      let scene = Scene(nbd: nbd)
      for step in try await scene.attachPlan().steps.prefix(stop) {
        _ = try await scene.host.perform(step.operation)
      }
      try await scene.run(scene.attachPlan())
      #expect(try scene.state == (nbd ? .nbd(device: "/dev/nbd0") : .fuse), "stopped after \(stop) steps")
      // The same for what takes it away again.
      let detach = try scene.attachment.detachPlan(server: scene.server)
      for step in detach.steps.prefix(stop) { _ = try await scene.host.perform(step.operation) }
      try await scene.run(scene.attachment.detachPlan(server: scene.server))
      #expect(try scene.state == .detached, "stopped after \(stop) steps")
      #expect(scene.server == nil)
      #expect(try scene.attachment.detachPlan(server: nil).isEmpty)
    }
  }

  @Test(arguments: [true, false])
  func aStepThatFailsLeavesNothingAttached(nbd: Bool) async throws {
    let count = try await Scene(nbd: nbd).attachPlan().steps.count
    for stop in 0..<count {
      let scene = Scene(nbd: nbd)
      var plan = try await scene.attachPlan()
      let failing = plan.steps[stop]
      for stage in plan.stages.indices {
        for chain in plan.stages[stage].chains.indices {
          plan.stages[stage].chains[chain].steps = plan.stages[stage].chains[chain].steps.map {
            $0 == failing ? Step(.write(path: "/not/there", contents: ""), reason: $0.reason) : $0
          }
        }
      }
      let failure = await #expect(throws: Failure.self) { try await scene.run(plan) }
      #expect(failure?.leftovers == [])
      #expect(try scene.state == .detached, "failed at step \(stop)")
      #expect(scene.server == nil)
    }
  }

  @Test func aDeviceWithoutItsServerIsReplaced() async throws {
    let scene = Scene(nbd: true)
    try await scene.run(scene.attachPlan())
    _ = try await scene.host.run(
      ["quartet", "pool", "stop"], environment: [:], input: [], limit: .seconds(1))
    #expect(try scene.state == .dead)
    // The plan is made while the old device is still connected.
    try await scene.run(scene.attachPlan())
    #expect(try scene.state == .nbd(device: "/dev/nbd1"))
    #expect(try scene.host.status("/sys/block/nbd0/pid") == nil)
  }
}
