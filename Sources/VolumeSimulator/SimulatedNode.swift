import HostInterface
import Simulation
import Synchronization
import SystemPackage

/// The programs of one machine of a pair.
final class SimulatedNode: SimulatedService {
  let name: String
  let programs = ["drbdadm", "drbdsetup", "lvm", "wipefs", "dmesg", "modinfo"]
  // The pair owns the machines, and they own their programs.
  private let link = Mutex(Link())

  private struct Link: Sendable {
    weak var pair: SimulatedPair?
  }

  init(name: String) { self.name = name }

  func join(_ pair: SimulatedPair) { link.withLock { $0.pair = pair } }

  func attach(to host: SimulatedHost) {
    host.addFile("/proc/sys/kernel/hostname", text: name + "\n")
    host.addDirectory("/etc/drbd.d")
    host.addDirectory("/etc/lvm")
    host.addFile("/run/udev/control")
    host.install(module: "drbd")
  }

  /// Puts into a machine's tree what the kernel shows there.
  static func show(_ world: World, _ name: String, on host: SimulatedHost) {
    if let proc = world.proc(of: name) {
      host.addFile("/proc/drbd", text: proc)
    } else {
      host.remove("/proc/drbd")
    }
    for (path, disk) in world[name].disks { place(path, disk.size, disk.number, on: host) }
    let shown = ((try? host.list("/dev")) ?? []).filter { $0.hasPrefix("drbd") }
    let volumes = world[name].resources.flatMap(\.volumes)
    for volume in volumes {
      place("/dev/drbd\(volume.minor)", volume.size * 1024, "147:\(volume.minor)", on: host)
      host.addFile(FilePath("/sys/block/drbd\(volume.minor)/size"), text: "\(volume.size * 2)\n")
    }
    for old in shown where !volumes.contains(where: { "drbd\($0.minor)" == old }) {
      host.remove(FilePath("/dev/" + old))
      host.remove(FilePath("/sys/block/" + old))
    }
    showVolumes(world[name], on: host)
    for (path, _) in world[name].disks {
      var holders: [String] = []
      if let volume = volumes.first(where: { $0.disk == path || $0.metadataDisk == path }) {
        holders.append("held by drbd\(volume.minor)")
      }
      holders += world[name].active.filter { $0.value.contains(path) }.keys.sorted().map {
        "held by dm (\($0))"
      }
      host.setHolders(holders, of: FilePath(path), inPlaceOf: "held by d")
    }
    for volume in volumes {
      let path = "/dev/drbd\(volume.minor)"
      let users = world[name].active.filter { $0.value.contains(path) }.keys.sorted()
      host.setHolders(users.map { "held by dm (\($0))" }, of: FilePath(path), inPlaceOf: "held by d")
    }
  }

  /// The block devices of the volumes that are active.
  private static func showVolumes(_ machine: Machine, on host: SimulatedHost) {
    let groups = machine.disks.values.compactMap(\.content.label?.group).sorted { $0.sequence > $1.sequence }
    for group in Set(groups.map(\.name)) {
      for old in (try? host.list(FilePath("/dev/\(group)"))) ?? []
      where machine.active["\(group)/\(old)"] == nil {
        host.remove(FilePath("/dev/\(group)/\(old)"))
      }
    }
    for (index, path) in machine.active.keys.sorted().enumerated() {
      let parts = path.split(separator: "/").map(String.init)
      guard let group = groups.first(where: { $0.name == parts.first }), let name = parts.last,
        let place = group.volume(name)
      else { continue }
      Self.place("/dev/\(path)", group.volumes[place].extents * group.extentSize, "253:\(index)", on: host)
    }
  }

  private static func place(_ path: String, _ size: UInt64, _ number: String, on host: SimulatedHost) {
    let status = try? host.status(FilePath(path))
    if status?.identity == number, status?.size == size { return }
    host.addBlockDevice(FilePath(path), size: size, number: number)
  }

  func run(_ invocation: SimulatedInvocation, on host: SimulatedHost) -> SimulatedOutcome? {
    guard let pair = link.withLock({ $0.pair }) else { return nil }
    let words = Array(invocation.argv.dropFirst())
    // loadModule is the host's own.
    let isLoaded = (try? host.isModuleLoaded("drbd")) == true
    if isLoaded { pair.world.withLock { $0[name].isModuleLoaded = true } }
    let answer: Answer
    switch invocation.program {
    case "drbdadm": answer = drbdadm(words, pair, host)
    case "drbdsetup": answer = drbdsetup(words, pair)
    case "lvm":
      let filter = LVMFilter(host)
      answer = pair.world.withLock { $0.lvm(words, on: name, filter) }
    case "wipefs": answer = pair.world.withLock { $0.wipefs(words, on: name) }
    case "dmesg":
      answer = pair.world.withLock { world in
        Answer(output: world[name].log.map { "[   40.630296] \($0)\n" }.joined())
      }
    case "modinfo": answer = Answer(output: "8.4.11\n")
    default: return nil
    }
    pair.settle()
    return answer.outcome
  }

  // MARK: - DRBD

  private func drbdsetup(_ words: [String], _ pair: SimulatedPair) -> Answer {
    let named = words.dropFirst().first { !$0.hasPrefix("-") }
    // It loads the module when it is not there.
    pair.world.withLock { $0[name].isModuleLoaded = true }
    switch words.first {
    case "events2" where words.contains("--now"):
      return pair.world.withLock { Answer(output: $0.events(of: name, only: named)) }
    case "status" where !words.contains("--json"):
      let isThere = pair.world.withLock { world in named.map { world[name].running($0) != nil } ?? true }
      return isThere ? .done : .failed(10, "\(named ?? ""): No such resource\n")
    case "wait-sync":
      pair.world.withLock { world in
        for resource in world[name].resources {
          for volume in resource.volumes { world.finishSync(resource.name, volume.number) }
        }
      }
      return .done
    default: return .failed(1, "drbdsetup: unrecognized option '\(words.joined(separator: " "))'\n")
    }
  }

  /// Everything that the files in /etc/drbd.d describe.
  private func resources(_ host: SimulatedHost) throws(GrammarError) -> [ConfiguredResource] {
    var found: [ConfiguredResource] = []
    for file in ((try? host.list("/etc/drbd.d")) ?? []) where file.hasSuffix(".res") {
      let path = "/etc/drbd.d/\(file)"
      found += try ResourceFileReader.read((try? host.text(FilePath(path))) ?? "", file: path, isEight: true)
    }
    return found
  }

  private func drbdadm(_ words: [String], _ pair: SimulatedPair, _ host: SimulatedHost) -> Answer {
    let options = Set(words.filter { $0.hasPrefix("-") })
    let plain = words.filter { !$0.hasPrefix("-") }
    guard let verb = plain.first else { return .failed(1, "try 'drbdadm help'\n") }
    if options.contains("--assume-clean"), !words.contains("--") {
      return .failed(1, "drbdadm: unrecognized option '--assume-clean'\ntry 'drbdadm help'\n")
    }
    let all: [ConfiguredResource]
    do throws(GrammarError) { all = try resources(host) } catch { return .failed(10, error.text) }
    let parts = (plain.dropFirst().first ?? "all").split(separator: "/", maxSplits: 1).map(String.init)
    let meant = all.filter { parts.first == "all" || $0.name == parts.first }
    guard !meant.isEmpty else {
      if parts.first == "all" { return .failed(1, "no resources defined!\n") }
      return .failed(1, "'\(parts.first ?? "")' not defined in your config (for this host).\n")
    }
    switch verb {
    case "dump-xml":
      let xml = meant.map(\.xml).joined()
      return Answer(
        output: parts.first == "all" ? "<config file=\"/etc/drbd.conf\">\n\(xml)</config>\n" : xml + "\n")
    case "status":
      let running = pair.world.withLock { world in meant.allSatisfy { world[name].running($0.name) != nil } }
      let text = "\(plain.last ?? ""): No such resource\n"
      return running ? .done : .failed(10, text)
    case _ where !options.isDisjoint(with: ["-d", "--dry-run"]) && verb != "adjust":
      return .failed(1, "the model tells no plan of \(verb)\n")
    case "sh-resources": return Answer(output: meant.map(\.name).joined(separator: " ") + "\n")
    default: break
    }
    var answer = Answer.done
    for resource in meant {
      let volumes = (resource.host(name)?.volumes ?? []).filter { volume in
        parts.count < 2 || "\(volume.number)" == parts[1]
      }
      guard !volumes.isEmpty else {
        return .failed(1, "'\(parts.joined(separator: "/"))' not defined in your config (for this host).\n")
      }
      let request = World.Request(
        node: name, verb: verb, options: options, resource: resource, volumes: volumes)
      answer = pair.world.withLock { $0.administer(request) }
      awaitAnswer(pair, host)
      if answer.status != 0 { return answer }
    }
    return answer
  }

  /// Lets the other node answer what it was just told, after a while.
  private func awaitAnswer(_ pair: SimulatedPair, _ host: SimulatedHost) {
    let due = host.now + pair.answerDelay
    let isAsked = pair.world.withLock { world in
      let new = world.questions.indices.filter { world.questions[$0].due == nil }
      for index in new { world.questions[index].due = due }
      return !new.isEmpty
    }
    guard isAsked else { return }
    host.perform(after: pair.answerDelay) { [weak pair, name] host in
      pair?.change { $0.answer(name, now: host.now) }
    }
  }
}
