import ArgumentParser
import HostInterface
import LinuxHost
import Quartet
import SystemPackage
import TargetCore

/// What planning costs, without a host.
struct PlanningCost {
  let place: PrivateTgtd

  func measure(_ table: BenchTable) throws {
    let few = try (0..<10).map { _ in try plan(1000) }
    let many = try (0..<5).map { _ in try plan(10_000) }
    table.ratio(
      "planning 10000 LUNs / 1000 LUNs: time", many.map(\.milliseconds).min() ?? .nan,
      few.map(\.milliseconds).min() ?? .nan, unit: "ms", goal: 12)
    table.value(
      "planning 10000 LUNs: most memory", many.map(\.mebibytes).max() ?? .nan, unit: "MiB", goal: 64)
  }

  /// In a process of its own, whose memory nothing else has touched.
  private func plan(_ units: Int) throws -> (milliseconds: Double, mebibytes: Double) {
    let output = place.directory.appending("plan-\(units)")
    let program = try place.host.readLink("/proc/self/exe").string
    try place.host.replace(output, with: [], mode: 0o600)
    _ = try Child.run([program, "plan", "\(units)"], output: output.string)
    let numbers = try place.host.text(output).split(whereSeparator: \.isWhitespace).compactMap { Double($0) }
    guard numbers.count == 2 else { throw Failure(.garbled, "\(output)", "does not hold two numbers") }
    return (numbers[0], numbers[1])
  }
}

/// Plans for a machine that has nothing yet; prints milliseconds and the most MiB of memory.
struct PlanCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan", abstract: "Plans so many logical units, and tells time and memory.",
    shouldDisplay: false)
  @Argument var units: Int

  func run() async throws {
    let host = LocalHost()
    let backend = try ImplementationChoice.named("tgt").make([:])
    let desired = try desiredState()
    let begin = ContinuousClock.now
    let changes = try Reconciler(capabilities: backend.capabilities).changes(to: desired, from: LiveState())
    let plan = try Planner(backend: backend).plan(changes, from: LiveState())
    let time = ContinuousClock.now - begin
    let steps = plan.stages.flatMap(\.chains).reduce(0) { $0 + $1.steps.count }
    guard steps > 2 * units else { throw Failure(.garbled, "plan", "is too short") }
    let status = try host.text("/proc/self/status").split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
    let kibibytes = status?.split(whereSeparator: \.isWhitespace).compactMap { Double($0) }.first ?? .nan
    print(time.milliseconds, kibibytes / 1024)
  }

  private func desiredState() throws -> DesiredState {
    DesiredState(
      targets: try (0..<units / 100).map { target in
        var spec = TargetSpec(name: try TargetName("iqn.2011-12.com.example:plan\(target)"))
        spec.initiators = [.all]
        spec.units = try (1...100).map {
          LogicalUnit(lun: try LUN($0), backing: try Backing(path: "/srv/\(target)/\($0)"))
        }
        return spec
      })
  }
}
