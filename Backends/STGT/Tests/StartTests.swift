import HostInterface
import LinuxHost
import Quartet
import STGTBackend
import STGTSimulator
import Simulation
import SystemPackage
import TargetCore
import Testing

/// A tgtd that Quartet finds, or starts.
@Suite struct StartTests {
  @Test func oneThatIsInstalledAndNotRunning() async throws {
    let tgtd = SimulatedTgtd(isRunning: false)
    let host = SimulatedHost(services: [tgtd])
    let implementation = try Implementation(.stgt, settings: ["portals": "10.0.0.1:3261,[fd00::1]"], on: host)
    let before = await implementation.backend.probe(host)
    #expect(before.installed && !before.running && before.detail.contains("/var/run/tgtd/socket.0"))
    #expect(try await implementation.start())
    #expect(tgtd.isRunning)
    let after = await implementation.backend.probe(host)
    #expect(after.installed && after.running && after.version == "1.0.85")
    let portals = try await implementation.read(ReadDetail(shared: true)).portals
    #expect(portals == [try Portal("10.0.0.1:3261"), try Portal("[fd00::1]")])
    #expect(try await !implementation.start())
  }

  @Test func oneThatIsNotInstalled() async throws {
    let host = SimulatedHost()
    let implementation = try Implementation(.stgt, on: host)
    #expect(await implementation.backend.probe(host).installed == false)
    let failure = await #expect(throws: Failure.self) { _ = try await implementation.start() }
    #expect(failure?.code == .unavailable)
  }

  @Test func oneThatDoesNotComeUpIsWaitedForBounded() async throws {
    let host = SimulatedHost()
    host.install(program: "tgtd")
    host.install(program: "tgtadm")
    let implementation = try Implementation(.stgt, on: host)
    let failure = await #expect(throws: Failure.self) { _ = try await implementation.start() }
    #expect(failure?.code == .unavailable)
    #expect(host.now >= .seconds(5) && host.now < .seconds(30), "it waits for \(host.now)")
  }

  @Test(arguments: [
    ["control-port": "x"], ["control-port": "-1"], ["control-port": "32768"], ["portals": "nonsense"],
    ["timeout": "0"], ["socket": "/tmp/s", "other": "1"],
  ]) func settingsThatAreNone(_ settings: [String: String]) throws {
    let failure = #expect(throws: Failure.self) {
      _ = try Implementation(.stgt, settings: settings, on: SimulatedHost())
    }
    #expect(failure?.code == .invalid)
  }

  @Test(.enabled(if: RealTgtd.isInstalled, RealTgtd.reason))
  func theRealOneIsStartedAndFound() async throws {
    let scratch = try Scratch()
    let host = LocalHost(lockDirectory: scratch.path.appending("lock"))
    let socket = scratch.path.appending("s").string
    let portal = try Portal("127.0.0.1:\(freePort())")
    let implementation = try Implementation(
      .stgt, settings: ["socket": socket, "control-port": "7", "portals": "\(portal)"], on: host)
    #expect(await !implementation.backend.probe(host).running)
    let wasStarted = try await implementation.start()
    #expect(wasStarted)
    let state = try await implementation.read(ReadDetail(shared: true))
    #expect(state.portals == [portal] && state.stores["rdwr"] == ["sync", "direct"])
    #expect(try await !implementation.start())
    // A tgtd without targets ends when it is told to.
    let ended = try await host.run(
      ["tgtadm", "--control-port", "7", "--mode", "system", "--op", "delete"],
      environment: ["TGT_IPC_SOCKET": socket], input: [], limit: .seconds(60))
    #expect(ended.status == 0)
    let failure = await #expect(throws: Failure.self) { _ = try await implementation.read() }
    #expect(failure?.code == .unavailable)
  }
}
