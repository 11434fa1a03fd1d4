import HostInterface
import Simulation
import Testing
import VolumeSimulator

@testable import ReplicatedVolume

/// One change in a situation in which it can be made.
struct VolumeCase: Sendable, CustomTestStringConvertible {
  let testDescription: String
  /// What the change is made on.
  let prepare: @Sendable (Stack) async throws -> Void
  let change: @Sendable (Stack) throws -> VolumeChange
  /// Whether a second run begins it again: nothing tells that it was done.
  var repeats = false

  init(
    _ name: String, repeats: Bool = false, prepare: @escaping @Sendable (Stack) async throws -> Void,
    change: @escaping @Sendable (Stack) throws -> VolumeChange
  ) {
    (testDescription, self.prepare, self.change, self.repeats) = (name, prepare, change, repeats)
  }

  func stack() async throws -> Stack {
    let stack = try Stack()
    try await prepare(stack)
    return stack
  }
}

/// Every change, stopped at every step by an error, by silence and by a kill.
@Suite struct VolumeFaultTests {
  /// Commands that only look.
  private static let looks: Set<String> = [
    "dump-xml", "--dry-run", "events2", "status", "fullreport", "pvs", "lvmconfig", "--json", "dmesg",
    "modinfo",
  ]

  static func changes(_ call: HostCall) -> Bool {
    guard case .run(let argv) = call else { return true }
    return looks.isDisjoint(with: argv)
  }

  @Test(arguments: VolumeCase.all)
  func everyStepMayFail(_ one: VolumeCase) async throws {
    let stack = try await one.stack()
    let start = stack.pair.moment
    let counting = FaultingHost(stack.pair.host("mike"), failing: nil, isMutating: Self.changes)
    try await VolumeDriver(on: counting).perform([one.change(stack)])
    let expected = stack.pair.summary
    #expect(counting.callCount > 0 && stack.pair.damage == [])
    for position in stride(from: 1, through: counting.callCount, by: 1) {
      for fault in [HostFault.error(.ioError), .hang, .hangAfter, .kill, .killAfter] {
        stack.pair.restore(start)
        try await check(one, stack, fault, position, expected)
      }
    }
  }

  private func check(
    _ one: VolumeCase, _ stack: Stack, _ fault: HostFault, _ position: Int, _ expected: [String]
  ) async throws {
    let change = try one.change(stack)
    let before = stack.pair.summary
    let place = "\(one.testDescription): \(fault) at \(position)"
    let host = FaultingHost(
      stack.pair.host("mike"), failing: position, with: fault, isMutating: Self.changes)
    let failure = await #expect(throws: Failure.self, "\(place)") {
      try await VolumeDriver(on: host).perform([change])
    }
    if fault != .kill, fault != .killAfter {
      let left = Self.difference(before, stack.pair.summary)
      #expect(left.isEmpty || failure?.leftovers.isEmpty == false, "\(place) leaves \(left)")
    }
    try await stack.run(change)
    let wrong = Self.difference(expected, stack.pair.summary)
    // A pool that is gone does not tell which devices it was on; those that keep a label are free for another.
    let isLabelled = one.testDescription == "remove pool" && wrong.allSatisfy { $0.hasSuffix("label") }
    #expect(wrong.isEmpty || isLabelled, "\(place), run again: \(wrong)")
    #expect(stack.pair.damage == [], "\(place)")
  }

  static func difference(_ one: [String], _ two: [String]) -> [String] {
    two.difference(from: one).map { change in
      switch change {
      case .insert(_, let line, _): "+ \(line)"
      case .remove(_, let line, _): "- \(line)"
      }
    }
  }

  @Test(arguments: VolumeCase.all)
  func aSecondRunChangesNothing(_ one: VolumeCase) async throws {
    let stack = try await one.stack()
    try await stack.run(one.change(stack))
    let before = stack.pair.summary
    let again = FaultingHost(stack.pair.host("mike"), failing: nil, isMutating: Self.changes)
    let proposal = try await VolumeDriver(on: again).perform([one.change(stack)])
    #expect(Self.difference(before, stack.pair.summary) == [])
    #expect(one.repeats || proposal.plan.isEmpty && again.callCount == 0)
  }

  @Test(arguments: VolumeCase.all)
  func aDryRunTouchesNothing(_ one: VolumeCase) async throws {
    let stack = try await one.stack()
    let before = stack.pair.summary
    let host = FaultingHost(stack.pair.host("mike"), failing: 1, isMutating: Self.changes)
    var options = VolumeDriver.Options()
    options.dryRun = true
    let proposal = try await VolumeDriver(on: host).perform([one.change(stack)], options: options)
    #expect(!proposal.plan.isEmpty && host.callCount == 0)
    #expect(Self.difference(before, stack.pair.summary) == [])
  }
}
