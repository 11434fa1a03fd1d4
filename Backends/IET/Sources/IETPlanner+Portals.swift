import HostInterface
import TargetCore

/// Where targets are reached: targets.allow says at which of the addresses that ietd listens on.
extension IETPlanner {
  private func line(_ name: TargetName, _ portals: Set<Portal>) -> String {
    AccessItem.line(name, portals.sorted().map { AccessItem.text($0) })
  }

  func portals(of name: TargetName?, _ portal: Portal, isAdded: Bool) throws -> [Step] {
    guard let name else {
      throw Failure(
        .invalid, "portal \(portal)", "needs a target: where ietd listens is said when it starts",
        remedy: "say --target, or start ietd with -a and -p")
    }
    let target = try target(name).target
    try check(portal)
    let now = target.portals ?? []
    let new = isAdded ? now.union([portal]) : now.subtracting([portal])
    let own = state.facts[IETFact.own(.targetsAllow, name)]
    let everywhere = AccessItem.everywhere(port).map { Set([$0]) }
    let isAsRead = own == nil && (now.isEmpty || now == everywhere)
    // A new target that no line is about is reached everywhere.
    if isAsRead, now.isEmpty, new == everywhere, state.facts[IETFact.isOpen(.targetsAllow)] != nil {
      return []
    }
    let others = [line(name, now)] + (own.map { [$0] } ?? [])
    let undo = isAsRead ? "" : line(name, now)
    return [try first(line(name, new), insteadOf: others, in: .targetsAllow, undo: undo)]
  }

  private func check(_ portal: Portal) throws {
    guard portal.port == port else {
      throw Failure(
        .unsupported, "portal \(portal)",
        "has another port than \(port), on which ietd listens for all targets",
        remedy: "leave the port out, or name ietd's with --setting port=\(portal.port)")
    }
    guard !portal.address.isUnspecified || !portal.address.isIPv6 else {
      throw Failure(
        .unsupported, "portal \(portal)",
        "stands for every address of a kind, and IET knows only every address",
        remedy: "use 0.0.0.0, which stands for IPv6 as well")
    }
  }
}
