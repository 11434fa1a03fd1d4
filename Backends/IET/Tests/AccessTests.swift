import FoundationEssentials
import Glibc
import HostInterface
import IETBackend
import IETSimulator
import Quartet
import SystemPackage
import TargetBackendTesting
import TargetCore
import Testing

/// Who is let in, as Quartet reads it and as ietd does it.
@Suite struct AccessTests {
  static let (mine, other) = ("iqn.2026-11.com.example:mine", "iqn.2026-11.com.example:other")
  static let guests = [
    "iqn.2026-11.com.example:host1", "iqn.2026-11.com.example:host2", "iqn.2026-11.com-example:host1",
  ]
  static let addresses = ["127.0.0.1", "192.0.2.1", "fd00::7"]

  /// A machine with two targets.
  static func world() async throws -> SimulatedWorld {
    let world = SimulatedWorld(addresses: addresses)
    for (tid, name) in [(1, mine), (2, other)] {
      try await world.ietadm("--op", "new", "--tid=\(tid)", "--params", "Name=\(name)")
    }
    return world
  }

  /// Which of the guests get in to a target over which addresses.
  static func admitted(to target: String, _ world: SimulatedWorld) -> Set<String> {
    var found: Set<String> = []
    for guest in guests {
      for address in addresses {
        guard (try? world.iet.logIn(guest, to: target, at: address, on: world.host)) != nil else { continue }
        found.insert("\(guest) \(address)")
        world.iet.logOut()
      }
    }
    return found
  }

  /// The same as the state says it.
  static func admitted(to target: String, in state: LiveState) throws -> Set<String> {
    guard let found = state.targets[try TargetName(target)] else { return [] }
    var all: Set<String> = []
    for guest in guests {
      for address in addresses {
        guard let peer = IPAddress(address), found.enabled else { continue }
        let isIn = try found.initiators.contains { rule in
          switch rule {
          case .all: true
          case .name(let name): fits(guest, name.description)
          case .address(let allowed): allowed == peer
          case .network(_, let prefix): try Initiator("\(peer)/\(prefix)") == rule
          }
        }
        let isOffered = found.portals?.contains { $0.address == peer || $0.address.isUnspecified } ?? true
        if isIn, isOffered { all.insert("\(guest) \(address)") }
      }
    }
    return all
  }

  /// Whether a name is the one that is read, which may be a regular expression.
  private static func fits(_ guest: String, _ name: String) -> Bool {
    var expression = regex_t()
    guard name != guest, name.contains("\\"), regcomp(&expression, "^\(name)$", REG_NOSUB) == 0 else {
      return name == guest
    }
    defer { regfree(&expression) }
    return regexec(&expression, guest, 0, nil, 0) == 0
  }

  /// Each login in the recording succeeded exactly when the access list that is read says so.
  @Test func readsTheAccessListsOfTheRecording() async throws {
    struct Step: Decodable {
      var seq: Int
      var op: String
      var path: String?
      var data: String?
      var argv: [String]?
      var exit: Int32?
    }
    let world = SimulatedWorld(addresses: ["127.0.0.1"])
    let iet = try Implementation(.iet, on: world.host)
    var logins = 0
    for line in try Fixtures.text("access.jsonl").split(separator: "\n") {
      let step = try JSONDecoder().decode(Step.self, from: Data(line.utf8))
      let path = FilePath(step.path ?? "")
      switch step.op {
      case "write": world.host.addFile(path, text: step.data ?? "")
      case "unlink": world.host.remove(path)
      case "exec" where step.argv?.first == "ietadm":
        _ = try await world.host.run(step.argv ?? [], environment: [:], input: [], limit: .seconds(1))
      case "exec" where step.argv?.contains("-l") == true:
        guard let argv = step.argv, let index = argv.firstIndex(of: "-T"), argv.contains("default") else {
          continue
        }
        let admitted = try Self.admitted(to: argv[index + 1], in: try await iet.read())
        let isIn = admitted.contains("iqn.2026-11.com.example:host1 127.0.0.1")
        #expect(isIn == (step.exit == 0), "step \(step.seq)")
        logins += 1
      default: break
      }
    }
    #expect(logins == 44)
  }

  /// An item without a place in the model does not stay when the target is shut.
  @Test func aListThatIsNotUnderstoodIsShutAllTheSame() async throws {
    let world = try await Self.world()
    let iet = try Implementation(.iet, on: world.host)
    let odd = "iqn.2026-11.com.example:odd/1"
    world.host.addFile("/etc/iet/initiators.allow", text: "\(Self.mine) \(odd)\nALL ALL\n")
    let name = try TargetName(Self.mine)
    let state = try await iet.read()
    #expect(state.targets[name]?.initiators == [] && state.remarks.contains { $0.contains(odd) })
    try world.iet.logIn(odd, to: Self.mine, comesBack: true, on: world.host)
    try await iet.perform([.disableTarget(name)])
    world.host.advance(by: .seconds(10))
    #expect(world.iet.initiators(of: Self.mine) == [])
    #expect(throws: LoginRefusal.notFound) { try world.iet.logIn(odd, to: Self.mine, on: world.host) }
  }

  // MARK: Any files

  private static let words = [
    "ALL", "127.0.0.1", "192.0.2.1", "192.0.2.0/24", "192.0.2.1/24", "127.0.0.1/32", "0.0.0.0/0", "fd00::7",
    "[fd00::]/16", "iqn.2026-11.com.example:host1", "iqn\\.2026-11\\.com\\.example:host1",
    "iqn.2026-11.com.example:host2", "10.1.1.1",
  ]
  private static let targets = [
    mine, other, "ALL", mine.uppercased(), "iqn.2026-11.com.example:none", "# ALL", "#",
  ]

  private static func file(_ generator: inout SeededGenerator) -> String {
    var text = ""
    for _ in 0..<Int.random(in: 0...4, using: &generator) {
      let target = targets.randomElement(using: &generator) ?? ""
      let blank = [" ", "\t", "  ", ""].randomElement(using: &generator) ?? ""
      let items = (0..<Int.random(in: 0...3, using: &generator)).map { _ in
        words.randomElement(using: &generator) ?? ""
      }
      let glue = [",", ", ", " ,"].randomElement(using: &generator) ?? ","
      let end = ["\n", "\n", "\n", "\r\n", "", "\n\n"].randomElement(using: &generator) ?? "\n"
      text +=
        (Bool.random(using: &generator) ? "" : " ") + target + blank + items.joined(separator: glue) + end
    }
    return text
  }

  /// Puts any access files on a machine, in either place.
  private static func fill(_ world: SimulatedWorld, _ generator: inout SeededGenerator) {
    for name in ["initiators.allow", "initiators.deny", "targets.allow"] {
      for directory in ["/etc/iet", "/etc"] {
        world.host.remove(FilePath(directory).appending(name))
        // A deny file turns round what the others mean, and is rare.
        let chance = name == "initiators.deny" ? 6 : 2
        guard Int.random(in: 0..<chance, using: &generator) == 0 else { continue }
        world.host.addFile(FilePath(directory).appending(name), text: file(&generator))
      }
    }
  }

  private static func texts(_ world: SimulatedWorld) -> [String: String] {
    var texts: [String: String] = [:]
    for name in ["initiators.allow", "initiators.deny", "targets.allow"] {
      for directory in ["/etc/iet", "/etc"] {
        texts["\(directory)/\(name)"] = world.text(FilePath("\(directory)/\(name)"))
      }
    }
    return texts
  }

  /// A file without the lines of a target, and without the line by which Quartet begins a file.
  private static func foreign(_ text: String?) -> String? {
    guard let text else { return nil }
    var rest = text.utf8[...]
    var kept = ""
    while !rest.isEmpty {
      let end = rest.firstIndex(of: UInt8(ascii: "\n")).map { rest.index(after: $0) } ?? rest.endIndex
      let line = String(Substring(rest[..<end]))
      let word = line.split(whereSeparator: \.isWhitespace).first?.lowercased() ?? ""
      if word != mine, word != "#quartet-disabled:\(mine)" { kept += line }
      rest = rest[end...]
    }
    return kept
  }

  @Test func whatIsReadIsWhatIsDone() async throws {
    var generator = SeededGenerator.chosen
    var compared = 0
    for round in 0..<SeededGenerator.rounds(80) {
      let world = try await Self.world()
      Self.fill(world, &generator)
      let state = try await Implementation(.iet, on: world.host).read()
      // What the model has no place for is told.
      guard state.remarks.isEmpty else { continue }
      compared += 1
      for target in [Self.mine, Self.other] {
        let (read, done) = (try Self.admitted(to: target, in: state), Self.admitted(to: target, world))
        // An unquoted dot stands for any character.
        #expect(
          done.subtracting(read).allSatisfy { $0.contains("com-example") },
          "round \(round) \(Self.texts(world))")
        #expect(read.isSubset(of: done), "round \(round): \(read.subtracting(done)) \(Self.texts(world))")
      }
    }
    #expect(compared > 15)
  }

  /// The lines that ietd reads, of the files that it reads.
  private static func effectiveLines(_ world: SimulatedWorld) -> [Substring] {
    ["initiators.allow", "initiators.deny", "targets.allow"].flatMap { name -> [Substring] in
      let text =
        world.text(FilePath("/etc/iet").appending(name)) ?? world.text(FilePath("/etc").appending(name)) ?? ""
      return text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
    }
  }

  /// Changes to one target leave the lines of the others as they were, byte for byte, and what they mean.
  @Test func onlyTheLinesOfTheTargetAreTouched() async throws {
    var generator = SeededGenerator.chosen
    var done = 0
    for round in 0..<SeededGenerator.rounds(80) {
      let world = try await Self.world()
      Self.fill(world, &generator)
      let iet = try Implementation(.iet, on: world.host)
      let (texts, others) = (Self.texts(world), Self.admitted(to: Self.other, world))
      for _ in 0..<3 {
        let live = try await iet.read()
        let change = try Self.change(live, &generator)
        do {
          try await iet.perform([change])
        } catch let failure as Failure where failure.code == .unsupported {
          continue
        }
        done += 1
        let note = Comment("round \(round) \(change): \(texts) became \(Self.texts(world))")
        let state = try await iet.read()
        if case .deleteTarget = change {
          #expect(!Self.effectiveLines(world).contains { $0.lowercased().hasPrefix("\(Self.mine) ") }, note)
          try await world.ietadm("--op", "new", "--tid=1", "--params", "Name=\(Self.mine)")
        } else {
          let (read, done) = (
            try Self.admitted(to: Self.mine, in: state), Self.admitted(to: Self.mine, world)
          )
          let isTold = !state.remarks.isEmpty
          #expect(isTold || read.isSubset(of: done), note)
          #expect(isTold || done.subtracting(read).allSatisfy { $0.contains("com-example") }, note)
        }
        #expect(Self.admitted(to: Self.other, world) == others, note)
        for (path, now) in Self.texts(world) {
          let (before, after) = (Self.foreign(texts[path]), Self.foreign(now))
          #expect(after == before || (before == nil && ["ALL ALL\n", ""].contains(after)), note)
        }
      }
    }
    #expect(done > 50)
  }

  private static func change(_ live: LiveState, _ generator: inout SeededGenerator) throws -> Change {
    let name = try TargetName(mine)
    guard let target = live.targets[name] else { return .createTarget(name, id: nil) }
    let guests = try ["all", "127.0.0.1", "192.0.2.0/24", "fd00::/16", "iqn.2026-11.com.example:host1"].map {
      try Initiator($0)
    }
    switch Int.random(in: 0..<8, using: &generator) {
    case 0...2:
      if let guest = guests.filter({ !target.initiators.contains($0) }).randomElement(using: &generator) {
        return .allow(name, guest)
      }
    case 3:
      if let guest = target.initiators.sorted().randomElement(using: &generator) { return .deny(name, guest) }
    case 4: return target.enabled ? .disableTarget(name) : .enableTarget(name)
    case 5:
      if let portal = target.portals?.sorted().randomElement(using: &generator) {
        return .removePortal(name, portal)
      }
    case 6: return .deleteTarget(name, force: false)
    default: break
    }
    let portal = try Portal(["192.0.2.1", "127.0.0.1"].randomElement(using: &generator) ?? "192.0.2.1")
    return target.portals?.contains(portal) == true ? .removePortal(name, portal) : .addPortal(name, portal)
  }
}
