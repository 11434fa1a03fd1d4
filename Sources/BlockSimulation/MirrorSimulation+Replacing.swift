import BlockEngine
import HostInterface

/// Disks that take the place of others, as `quartet pool replace-leg` does it: who opens the mirror names the new disk
/// only when the replacement has ended well.
extension MirrorSimulation {
  /// Replaces a leg by a new disk, or by the one of an attempt that was not seen to end.
  func replace(_ leg: Int) {
    guard let mirror, !isReplacing,
      mirror.legStatus.enumerated().contains(where: { $0.element == .upToDate && $0.offset != leg })
    else { return }
    let new = replacing[leg].flatMap { random.oneIn(3) ? nil : $0 } ?? newDisk(leg)
    let isAgain = replacing[leg] === new
    if isAgain { if random.oneIn(2) { losePower(new, of: leg) } else { new.recover() } }
    let connection = SimulatedConnection(new, clock: clock)
    (replacing[leg], isReplacing) = (new, true)
    let life = self.life
    mirror.replaceLeg(leg, by: connection, overwrite: isAgain && random.oneIn(2)) { [self] failure in
      guard life == self.life else { return }
      isReplacing = false
      if let failure {
        if !connection.isBroken, new.condition == .well, [.exists, .invalid].contains(failure.code) {
          complain("\(new.name) cannot be a leg: \(failure)")
        }
        return
      }
      connections[leg].isBroken = true
      if disks[leg] !== new { retired.append(disks[leg]) }
      (disks[leg], connections[leg], replacing[leg]) = (new, connection, nil)
      outcome.replacements += 1
    }
    if random.oneIn(8) {
      connection.isBroken = random.oneIn(2)
      new.die()
    }
  }

  private func newDisk(_ leg: Int) -> SimulatedDisk {
    let more = Int.random(in: 0...3, using: &random) * 4096
    let disk = SimulatedDisk(
      "leg\(leg), disk \(retired.count + 1)", size: disks[leg].size + more, clock: clock, seed: random.next())
    disk.fragileRange = sectorCount * SimulatedDisk.sectorSize..<disk.size
    disk.lies = leg == liar
    if random.oneIn(2) {
      disk.poke((0..<disk.size).map { _ in UInt8.random(in: 0...255, using: &random) }, at: 0)
    }
    return disk
  }

  private func losePower(_ disk: SimulatedDisk, of leg: Int) {
    if leg == liar { disk.recover() } else { disk.losePower() }
  }

  /// A disk that was replaced comes back, and must be refused.
  func attachRetired() {
    guard let mirror, let disk = retired.randomElement(using: &random) else { return }
    disk.recover()
    mirror.attach(SimulatedConnection(disk, clock: clock), discard: random.oneIn(2)) { [self] failure in
      if failure == nil { complain("\(disk.name), which was replaced, is a leg again") }
    }
  }

  /// Opens the mirror with a disk that was replaced instead of the one that took its place, which must be refused.
  func openRetired(current: [Int]) {
    guard let disk = retired.randomElement(using: &random), let index = index(of: disk),
      current.contains(where: { $0 != index })
    else { return }
    disk.recover()
    var devices = connections.map { $0 as any BlockDevice }
    devices[index] = SimulatedConnection(disk, clock: clock)
    var options = options
    options.allowsMissingLegs = true
    var opened: Result<Mirror, Failure>?
    Mirror.open(on: devices, clock: clock, options: options, random: { 1 }) { opened = $0 }
    _ = clock.run { opened != nil }
    if case .failure? = opened { return }
    complain("the mirror is opened with \(disk.name), which was replaced")
  }

  private func index(of disk: SimulatedDisk) -> Int? {
    Int(disk.name.dropFirst("leg".count).prefix { $0.isNumber })
  }

  /// Whether a leg is one to open the mirror with, as a look at all of them tells.
  func isUsable(_ leg: Int, among legs: [Int]) -> Bool {
    guard replacing[leg] != nil, let place = legs.firstIndex(of: leg) else { return true }
    var found: Result<MirrorExamination, Failure>?
    Mirror.examine(legs.map { connections[$0] }, clock: clock, options: options) { found = $0 }
    _ = clock.run { found != nil }
    guard case .success(let examination)? = found else { return true }
    return examination.indexes[place] != nil
  }
}
