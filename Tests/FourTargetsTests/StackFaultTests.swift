import HostInterface
import Simulation
import Testing
import VolumeSimulator

/// The whole stack, stopped at every call that changes something, by an error and by a kill: the next run finishes it.
@Suite struct StackFaultTests {
  /// Commands that only look.
  private static let looks: Set<String> = [
    "dump-xml", "--dry-run", "events2", "fullreport", "pvs", "lvmconfig", "--json", "dmesg", "modinfo",
  ]

  private static func changes(_ call: HostCall) -> Bool {
    guard case .run(let argv) = call else { return true }
    return looks.isDisjoint(with: argv)
  }

  private func outcome(of scene: StackScene) async -> [String] {
    scene.pair.summary + [await scene.exported(by: "mike"), await scene.exported(by: "nancy")]
  }

  /// A scene in which mike has all to do, and the document that says what.
  private func scene(_ isGrowth: Bool) async -> (StackScene, String) {
    guard !isGrowth else { return (await StackScene.built(), StackScene.document(size: "24M")) }
    let scene = StackScene()
    _ = await scene.apply(on: "nancy")
    return (scene, StackScene.document())
  }

  @Test(arguments: [HostFault.error(.ioError), .kill, .killAfter], [false, true])
  func everyStepMayFail(_ fault: HostFault, _ isGrowth: Bool) async throws {
    let (undisturbed, document) = await scene(isGrowth)
    let counting = FaultingHost(
      undisturbed.pair.host("mike"), failing: nil, isMutating: Self.changes)
    _ = await undisturbed.apply(document, "--promote", on: "mike", host: counting)
    let expected = await outcome(of: undisturbed)
    #expect(counting.callCount >= (isGrowth ? 1 : 15), "\(counting.callCount) calls")
    for position in stride(from: 1, through: counting.callCount, by: 1) {
      let (scene, _) = await scene(isGrowth)
      let host = FaultingHost(
        scene.pair.host("mike"), failing: position, with: fault, isMutating: Self.changes)
      let stopped = await scene.apply(document, "--promote", on: "mike", host: host)
      let place = "\(fault) at \(position)"
      // Behind the last call there may be nothing left to fail.
      if position < counting.callCount { #expect(stopped.status != 0, "\(place): \(stopped)") }
      let again = await scene.apply(document, "--promote", on: "mike")
      #expect(again.status == 0, "\(place): \(stopped) \(again)")
      let left = await outcome(of: scene).difference(from: expected)
      #expect(left.isEmpty, "\(place): \(left)")
      #expect(scene.pair.damage == [], "\(place)")
    }
  }
}
