import HostInterface
import ReplicatedVolume
import SystemPackage

/// A volume of an embedded pool as something that a target can export, at one path that stays the same: a link to a
/// block device of the kernel's NBD client where there is one, else a file that nbdfuse(1) makes of the volume.
package struct VolumeAttachment: Sendable {
  /// How a volume gets a path.
  package enum Way: String, Sendable, CaseIterable {
    /// By `/dev/nbdN` (nbd-client(8)).
    case nbd
    /// By a file in user space (nbdfuse(1)).
    case fuse
  }

  /// What is there.
  package enum State: Sendable, Hashable {
    case detached
    /// By the kernel's client; the device.
    case nbd(device: String)
    case fuse
    /// What an ended process left: a link to a device that serves nothing, or an empty file.
    case stale
    /// A file system of nbdfuse whose process or server is gone.
    case dead
  }

  /// The volume.
  package let path: VolumePath
  private let pools: EmbeddedPools
  /// The command by which steps call Quartet itself.
  private let quartet: String

  /// The attachment of a volume.
  package init(of path: VolumePath, in pools: EmbeddedPools, quartet: String) {
    (self.path, self.pools, self.quartet) = (path, pools, quartet)
  }

  private var host: any Host { pools.host }
  private var places: PoolPlaces { pools.places }
  /// Where the volume is while it is attached.
  package var place: FilePath { places.volume(path) }
  /// Written by nbdfuse when the file is there.
  private var ready: FilePath {
    places.socket(of: path.pool).removingLastComponent().appending("\(path.pool).\(path.volume).fuse")
  }

  /// What is there now.
  package func state(isServed: Bool) throws -> State {
    if let link = try? host.readLink(place) {
      let device = link.string
      let name = link.lastComponent?.string ?? ""
      let isConnected = try host.status(FilePath("/sys/block/\(name)/pid")) != nil
      return isConnected && isServed ? .nbd(device: device) : isConnected ? .dead : .stale
    }
    if try isMounted() {
      let answers = ((try? host.status(place)) ?? nil) != nil
      return answers && isServed ? .fuse : .dead
    }
    return try host.status(place) == nil ? .detached : .stale
  }

  private func isMounted() throws -> Bool {
    // `FILE PLACE TYPE OPTIONS ...` (proc(5), /proc/self/mounts); no name here has a blank in it.
    try host.text("/proc/self/mounts").split(separator: "\n").contains { line in
      let words = line.split(separator: " ")
      return words.count > 2 && words[1] == place.string && words[2].hasPrefix("fuse")
    }
  }

  /// The volumes of the pool that are attached, this one among them.
  package func attached(isServed: Bool) throws -> [VolumeName] {
    let directory = places.volumes(of: path.pool)
    guard try host.status(directory) != nil else { return [] }
    return try host.list(directory).compactMap { try? VolumeName($0) }.filter { name in
      let other = VolumeAttachment(of: VolumePath(path.pool, name), in: pools, quartet: quartet)
      switch try other.state(isServed: isServed) {
      case .nbd, .fuse, .dead: return true
      case .detached, .stale: return false
      }
    }
  }

  /// Which way there is on this machine.
  ///
  /// - Throws: ``Failure`` with code `unavailable` when there is none, with what is missing.
  package func way(_ wanted: Way?) async throws -> Way {
    if wanted != .fuse, host.executable("nbd-client") != nil, try await hasKernelClient() { return .nbd }
    if wanted == .nbd {
      throw Failure(
        .unavailable, "volume \(path)",
        "cannot be attached by nbd: nbd-client or the kernel's nbd module is missing",
        remedy: "install nbd-client and the modules of the kernel, or say --by fuse")
    }
    if host.executable("nbdfuse") != nil, try host.status("/dev/fuse") != nil { return .fuse }
    throw Failure(
      .unavailable, "volume \(path)",
      "cannot be attached: there is neither nbd-client with the kernel's nbd module nor nbdfuse with /dev/fuse",
      remedy: "install nbd-client, or nbdfuse (libnbd-bin)")
  }

  private func hasKernelClient() async throws -> Bool {
    if try host.isModuleLoaded("nbd") { return true }
    guard host.executable("modinfo") != nil else { return false }
    return try await host.run(Command(["modinfo", "-n", "nbd"], limit: .seconds(10))).status == 0
  }

  /// The steps that attach the volume; none when it is attached.
  ///
  /// - Parameters:
  ///   - server: The process that serves the pool, if one does.
  ///   - way: How.
  package func attachPlan(server: Int32?, way: Way) throws -> Plan {
    let reason = "attach volume \(path)"
    let state = try state(isServed: server != nil)
    switch state {
    case .nbd, .fuse: return Plan()
    case .detached, .stale, .dead: break
    }
    var stages: [Stage] = []
    let cleaning = try cleaning(state, reason)
    if !cleaning.isEmpty { stages.append(stage("clear what an ended process left", cleaning)) }
    if server == nil {
      let steps = try directories([places.runtime, places.runtime.appending("pools")], reason)
      stages.append(stage("serve pool \(path.pool)", steps + serving(reason)))
    }
    var steps = try directories(
      [places.runtime.appending("volumes"), places.volumes(of: path.pool)], reason)
    switch way {
    case .nbd: steps += try nbdSteps(reason)
    case .fuse: steps += fuseSteps(reason)
    }
    stages.append(stage(reason, steps))
    return Plan(stages: stages)
  }

  private func stage(_ title: String, _ steps: [Step]) -> Stage {
    Stage(title: title, chains: [Chain(subject: "volume \(path)", steps: steps)])
  }

  private func serving(_ reason: String) -> [Step] {
    let mark = Text(places.attachMark(of: path.pool).string)
    let pool = Text(path.pool.description)
    // The mark first: a server that nobody knows to stop would stay.
    return [
      Step(
        .replaceFile(path: mark, contents: "", mode: 0o600), undo: [.removeFile(path: mark)], reason: reason),
      Step(
        .run(Command([Text(quartet), "pool", "serve", pool, "--background"], limit: .seconds(70))),
        undo: [.run(Command([Text(quartet), "pool", "stop", pool], limit: .seconds(70)))], reason: reason),
    ]
  }

  /// Makes directories; they stay, since others may be using them by the time of an undo.
  private func directories(_ wanted: [FilePath], _ reason: String) throws -> [Step] {
    var steps: [Step] = []
    for directory in wanted where try host.status(directory) == nil {
      steps.append(Step(.createDirectory(path: Text(directory.string)), reason: reason))
    }
    return steps
  }

  private func nbdSteps(_ reason: String) throws -> [Step] {
    var steps: [Step] = []
    if try !host.isModuleLoaded("nbd") { steps.append(Step(.loadModule(name: "nbd"), reason: reason)) }
    let device = try freeDevice()
    let socket = Text(places.socket(of: path.pool).string)
    let link = Text(place.string)
    // The link first: a device that no link leads to would stay connected.
    steps.append(
      Step(
        .createLink(path: link, destination: Text(device)), undo: [.removeFile(path: link)], reason: reason))
    steps.append(
      Step(
        .run(Command(["nbd-client", "-unix", socket, "-name", Text(path.volume.description), Text(device)])),
        undo: [.run(Command(["nbd-client", "-d", Text(device)]))], reason: reason))
    return steps
  }

  /// The first device of the kernel's client that serves nothing (/sys/block/nbdN/pid is there while it does).
  private func freeDevice() throws -> String {
    // The module makes 16 when it is loaded (drivers/block/nbd.c, nbds_max).
    for number in 0..<16 where try host.status(FilePath("/sys/block/nbd\(number)/pid")) == nil {
      return "/dev/nbd\(number)"
    }
    throw Failure(
      .inUse, "volume \(path)", "all 16 devices of the kernel's nbd client are in use",
      remedy: "detach another volume, or say --by fuse")
  }

  private func fuseSteps(_ reason: String) -> [Step] {
    let (file, ready) = (Text(place.string), Text(ready.string))
    let uri = "nbd+unix:///\(path.volume)?socket=\(places.socket(of: path.pool))"
    return [
      Step(
        .replaceFile(path: file, contents: "", mode: 0o600), undo: [.removeFile(path: file)], reason: reason),
      Step(
        .run(Command(["setsid", "--fork", "nbdfuse", "--pidfile", ready, file, Text(uri)])),
        undo: [unmount], reason: reason),
      Step(
        .wait(for: .exists(path: ready), limit: .seconds(10)), undo: [.removeFile(path: ready)],
        reason: reason),
    ]
  }

  private var unmount: Operation { .run(Command(["umount", Text(place.string)])) }

  /// What takes away what an ended process left.
  private func cleaning(_ state: State, _ reason: String) throws -> [Step] {
    var steps: [Step] = []
    if state == .dead {
      if let link = try? host.readLink(place) {
        steps.append(Step(.run(Command(["nbd-client", "-d", Text(link.string)])), reason: reason))
      } else {
        steps.append(Step(unmount, reason: reason))
      }
    }
    if state == .dead || state == .stale {
      steps.append(Step(.removeFile(path: Text(place.string)), reason: reason))
    }
    if try host.status(ready) != nil {
      steps.append(Step(.removeFile(path: Text(ready.string)), reason: reason))
    }
    return steps
  }

  /// The steps that detach the volume, and stop serving the pool with the last one if attaching began it.
  package func detachPlan(server: Int32?) throws -> Plan {
    let reason = "detach volume \(path)"
    var stages: [Stage] = []
    switch try state(isServed: server != nil) {
    case .detached: break
    case .stale: stages.append(stage(reason, try cleaning(.stale, reason)))
    case .dead: stages.append(stage(reason, try cleaning(.dead, reason)))
    case .nbd(let device):
      stages.append(
        stage(
          reason,
          [
            Step(.run(Command(["nbd-client", "-d", Text(device)])), reason: reason),
            Step(.removeFile(path: Text(place.string)), reason: reason),
          ]))
    case .fuse:
      var steps = [Step(unmount, reason: reason, patience: .seconds(2))]
      steps.append(Step(.removeFile(path: Text(place.string)), reason: reason))
      if try host.status(ready) != nil {
        steps.append(Step(.removeFile(path: Text(ready.string)), reason: reason))
      }
      stages.append(stage(reason, steps))
    }
    let others = try attached(isServed: server != nil).filter { $0 != path.volume }
    let mark = places.attachMark(of: path.pool)
    if others.isEmpty, try host.status(mark) != nil {
      var steps: [Step] = []
      if server != nil {
        // The engine hears of the end of a connection a moment after the client is gone.
        let stop = Command([Text(quartet), "pool", "stop", Text(path.pool.description)], limit: .seconds(70))
        steps.append(Step(.run(stop), reason: reason, patience: .seconds(5)))
      }
      steps.append(Step(.removeFile(path: Text(mark.string)), reason: reason))
      stages.append(stage("serve pool \(path.pool) no longer", steps))
    }
    return Plan(stages: stages)
  }

  /// How the commands of these plans are judged: who uses a volume or pool is in use.
  package static let judge: Judge = { operation, answer in
    guard case .run = operation, case .success(.command(let result)) = answer, result.status != 0 else {
      return Executor.plainJudge(operation, answer)
    }
    let text = result.errors.trimmed
    // umount(8) tells EBUSY as "target is busy"; 6 is Quartet's own status for what is in use.
    if text.contains("busy") || result.status == 6 {
      return .busy(
        Failure(.inUse, operation.display, "it is in use", answer: text, remedy: "end that use first"))
    }
    return .failed(
      Failure(.refused, operation.display, "failed with status \(result.status)", answer: text))
  }
}
