import Glibc
import HostInterface
import IETSimulator
import LIOSimulator
import Quartet
import STGTSimulator
import Simulation
import SystemPackage
import TargetCore
import Testing

/// Migrations that are disturbed at their calls to the machine.
///
/// Whatever happens: never do both serve a logical unit, never does neither without a word, and running it again ends
/// well.
struct MigrationFaultTests {
  /// Of how many calls one is disturbed; all with the variable THOROUGH.
  private static let stride = getenv("THOROUGH") == nil ? 67 : 1
  private static let pairs = Array(FourTargets.pairs.enumerated())

  /// Reads are not disturbed: a state that cannot be read stops a run before it does anything.
  @Sendable private static func isChange(_ call: HostCall) -> Bool {
    switch call {
    case .run(let argv):
      let program = argv.first ?? ""
      if program == "cat" || argv.contains("show") || argv.contains("--version") { return false }
      return SimulatedTgtd.isChange(call)
    default: return SimulatedTgtd.isChange(call)
    }
  }

  private func count(_ from: String, _ to: String, backing: String) async throws -> Int {
    let scene = try await MigrationScene(FourTargets(), from, to, backing: backing)
    let host = FaultingHost(scene.machine.host, failing: nil, isMutating: Self.isChange)
    _ = try await scene.migration(on: host).run()
    return host.callCount
  }

  /// Disturbs one call after the other, and looks at what that leaves.
  private func sweep(
    _ number: Int, _ from: String, _ to: String, with fault: HostFault, backing: String = "/srv/disk1",
    look: (MigrationScene, (any Error)?, String) async throws -> Void
  ) async throws {
    let total = try await count(from, to, backing: backing)
    #expect(total > 10, "a migration of \(total) calls is none")
    for position in Swift.stride(from: 1 + number * 17 % Self.stride, through: total, by: Self.stride) {
      let scene = try await MigrationScene(FourTargets(), from, to, backing: backing)
      let host = FaultingHost(scene.machine.host, failing: position, with: fault, isMutating: Self.isChange)
      var thrown: (any Error)?
      do { _ = try await scene.migration(on: host).run() } catch { thrown = error }
      let place = "\(from) to \(to): \(fault) at call \(position) of \(total)"
      let (source, there) = (try await scene.machine.read(from), try await scene.machine.read(to))
      #expect(!(scene.serves(source) && scene.serves(there)), "\(place): both serve")
      try await look(scene, thrown, place)
      // The machine is as it should be once the run is repeated.
      if scene.serves(try await scene.machine.read(from)) || scene.isBegun {
        _ = try await scene.migration().run()
      }
      let end = try await scene.machine.read(to)
      #expect(scene.serves(end), "\(place): running again does not get there")
      #expect(end.targets[scene.spec.name]?.units.count == 2, "\(place): a logical unit is lost")
      #expect(end.targets[scene.spec.name]?.chap.incoming.count == 1, "\(place): the account is lost")
      #expect(try await scene.machine.read(from).targets.isEmpty, "\(place): the source keeps something")
      #expect(!scene.isBegun, "\(place): the record stays")
    }
  }

  @Test(arguments: pairs) func killed(_ number: Int, _ pair: (String, String)) async throws {
    for fault in [HostFault.kill, .killAfter] {
      try await sweep(number, pair.0, pair.1, with: fault) { scene, thrown, place in
        #expect(thrown != nil, "\(place): a killed run ends well")
      }
    }
  }

  @Test(arguments: pairs) func failed(_ number: Int, _ pair: (String, String)) async throws {
    try await sweep(number, pair.0, pair.1, with: .error(.ioError)) { scene, thrown, place in
      try await expectTruth(scene, thrown, place)
    }
  }

  @Test(arguments: pairs) func answeredByNoise(_ number: Int, _ pair: (String, String)) async throws {
    try await sweep(number + 5, pair.0, pair.1, with: .garbage) { scene, thrown, place in
      try await expectTruth(scene, thrown, place)
    }
  }

  @Test(arguments: [("lio", "scst"), ("iet", "lio"), ("scst", "iet")])
  func disturbedWithADeviceThatOnlyOneCanHold(_ pair: (String, String)) async throws {
    for fault in [HostFault.kill, .killAfter, .error(.ioError)] {
      try await sweep(3, pair.0, pair.1, with: fault, backing: "/dev/vg1/a") { scene, thrown, place in
        if case .error = fault { try await expectTruth(scene, thrown, place) }
      }
    }
  }

  /// A run that failed left the source serving, or the destination, or says that neither does.
  private func expectTruth(_ scene: MigrationScene, _ thrown: (any Error)?, _ place: String) async throws {
    let source = try await scene.machine.read(scene.from)
    let there = try await scene.machine.read(scene.to)
    guard let failure = thrown as? Failure else {
      #expect(thrown == nil, "\(place): \(String(describing: thrown))")
      return
    }
    if scene.serves(source) {
      #expect(source.targets[scene.spec.name]?.units.count == 2, "\(place): the source is not whole")
      if failure.leftovers.isEmpty {
        #expect(there.targets[scene.spec.name] == nil, "\(place): the destination keeps something, untold")
      }
    } else if !scene.serves(there) {
      #expect(!failure.leftovers.isEmpty, "\(place): neither serves, and nothing is said: \(failure)")
    }
  }
}

extension MigrationScene {
  /// Whether a run was begun that is not finished.
  var isBegun: Bool {
    ((try? machine.host.status(FilePath("/run/quartet/migration-\(from)-\(to)"))) ?? nil) != nil
  }
}
