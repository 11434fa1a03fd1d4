import HostInterface
import Quartet
import SystemPackage
import TargetCore
import Testing

/// One state file, through the command line, on all four simulated implementations.
struct SameDocumentTests {
  static let document = """
    quartet: 1
    targets:
      - name: iqn.2011-12.com.example:disk1
        initiators: [iqn.1993-08.org.debian:01:web, iqn.1993-08.org.debian:01:mail]
        chap:
          incoming: [{user: jack, secret: {file: /etc/quartet/jack.secret}}]
          outgoing: {user: us, secret: {file: /etc/quartet/us.secret}}
        parameters: {InitialR2T: No, MaxBurstLength: 524288, FirstBurstLength: 131072, MaxOutstandingR2T: 4}
        luns:
          - {lun: 1, path: /srv/disk1, serial: c0ffee0123456789, scsiID: 60a98000c0ffee01}
          - {lun: 4, path: /srv/disk2, readOnly: true}
      - name: iqn.2011-12.com.example:disk2
        enabled: false
        initiators: all
        luns:
          - {lun: 300, path: /dev/vg1/a}

    """

  private func machine(with document: String = Self.document) -> FourTargets {
    let machine = FourTargets()
    machine.host.addFile("/etc/state.yaml", text: document)
    machine.host.addFile("/etc/quartet/jack.secret", text: "secret-of-jack\n")
    machine.host.addFile("/etc/quartet/us.secret", text: "secret-of-ours\n")
    return machine
  }

  /// What the document speaks of, as an implementation has it; what it does not tell is left out.
  private func model(_ state: LiveState) -> [String: String] {
    var model: [String: String] = [:]
    for target in state.targets.values {
      let name = "\(target.name)"
      model[name] =
        "\(target.enabled) \(target.initiators.sorted()) \(target.chap.incoming.map(\.user)) "
        + "\(target.chap.outgoing?.user.description ?? "-")"
      // Those that it does not name are each implementation's own.
      let named: [SessionParameter] = [.initialR2T, .maxBurstLength, .firstBurstLength, .maxOutstandingR2T]
      for parameter in target.units.count == 2 ? named : [] {
        model["\(name) \(parameter)"] = target.parameters[parameter]
      }
      for unit in target.units.values {
        let place = "\(name) \(unit.lun)"
        model[place] = "\(unit.backing) \(unit.readOnly ?? false) \(unit.initiators.map { Set($0) } ?? [])"
        model["\(place) serial"] = unit.serial
        model["\(place) scsiID"] = unit.scsiID
        model["\(place) cache"] = unit.cache?.rawValue
        model["\(place) size"] = unit.size.map(String.init)
      }
    }
    return model
  }

  @Test func theFourStatesAreOne() async throws {
    let machine = machine()
    var models: [(name: String, model: [String: String])] = []
    for name in FourTargets.names {
      let applied = await machine.quartet("apply", "-i", name, "/etc/state.yaml")
      #expect(applied.status == 0, "\(name): \(applied.errors)")
      models.append((name, model(try await machine.read(name))))
    }
    let whole = models.reduce(into: [String: String]()) { $0.merge($1.model) { first, _ in first } }
    #expect(whole.count == 21)
    for (name, model) in models {
      let untold = Set(whole.keys.filter { model[$0] == nil }.map { String($0.dropFirst(Self.prefix.count)) })
      #expect(untold == Self.untold[name], "\(name)")
      for (key, value) in model { #expect(value == whole[key], "\(name): \(key)") }
    }
  }

  private static let prefix = "iqn.2011-12.com.example:"

  /// What each does not tell: IET neither identity nor size, and tgt a size that is rounded.
  ///
  /// A read-only logical unit has no cache to IET and SCST, and a block device no size to LIO.
  private static let untold: [String: Set<String>] = [
    "iet": [
      "disk1 1 serial", "disk1 1 scsiID", "disk1 1 size", "disk1 4 serial", "disk1 4 scsiID", "disk1 4 size",
      "disk1 4 cache", "disk2 300 serial", "disk2 300 scsiID", "disk2 300 size",
    ],
    "tgt": ["disk1 1 size", "disk1 4 size", "disk2 300 size"], "lio": ["disk2 300 size"],
    "scst": ["disk1 4 cache"],
  ]

  @Test(arguments: FourTargets.names) func theCommandsAreAlike(_ name: String) async throws {
    let machine = machine()
    let empty = try await machine.read(name)
    let dry = await machine.quartet("apply", "-i", name, "--dry-run", "/etc/state.yaml")
    #expect(dry.status == 0 && dry.output.contains("# create targets\n"), "\(dry)")
    #expect(!dry.output.contains("secret-of"))
    #expect(try await machine.read(name) == empty)

    let different = await machine.quartet("diff", "-i", name, "/etc/state.yaml")
    #expect(different.status == 2)
    let applied = await machine.quartet("apply", "-i", name, "/etc/state.yaml")
    #expect(applied.status == 0, "\(applied.errors)")
    // What diff tells is what apply does.
    #expect(different.output == applied.output)
    #expect(applied.output.contains("+ add lun 4 of iqn.2011-12.com.example:disk1 (/srv/disk2)\n"))

    let same = await machine.quartet("diff", "-i", name, "/etc/state.yaml")
    #expect(same.status == 0 && same.output.isEmpty, "\(same.output)")
    let again = await machine.quartet("apply", "-i", name, "/etc/state.yaml")
    #expect(again.status == 0 && again.output.isEmpty && again.errors.contains("nothing to do"))

    let exported = await machine.quartet("export", "-i", name)
    #expect(exported.status == 0 && exported.output.contains("implementation: \(name)\n"))
    #expect(!exported.output.contains("secret-of"))
    machine.host.addFile("/etc/exported.yaml", text: exported.output)
    let round = await machine.quartet("diff", "/etc/exported.yaml")
    #expect(round.status == 0 && round.output.isEmpty, "\(round)")
  }

  /// The same file once for each, in one run: the parts go to the implementations that they name.
  @Test func oneFileSpeaksToAll() async throws {
    let targets = FourTargets.names.map {
      """
        - name: iqn.2011-12.com.example:\($0)
          implementation: \($0)
          luns: [{lun: 1, path: /srv/\($0)}]

      """
    }
    let machine = machine(with: "quartet: 1\ntargets:\n" + targets.joined())
    for name in FourTargets.names { machine.host.addFile(FilePath("/srv/\(name)"), size: 1 << 20) }
    let applied = await machine.quartet("apply", "/etc/state.yaml")
    #expect(applied.status == 0, "\(applied.errors)")
    for name in FourTargets.names {
      #expect(
        try await machine.read(name).targets.keys.map(\.description) == ["iqn.2011-12.com.example:\(name)"])
    }
  }

  /// What one cannot express it refuses before anything is touched, and names those that can.
  @Test(arguments: [
    ("lio", "initiators: [192.168.0.0/24]", "access by network", "iet and tgt can"),
    ("scst", "initiators: [192.168.0.7]", "access by address", "iet and tgt can"),
    ("scst", "parameters: {DefaultTime2Retain: 60}", "its value is always 0", "iet and tgt and lio can"),
    (
      "iet", "luns: [{lun: 1, path: /srv/disk1, initiators: ['iqn.1993-08.org.debian:01:web']}]",
      "a logical unit for some initiators only", "lio and scst can"
    ),
    (
      "iet", "luns: [{lun: 1, path: /srv/disk1, vendor: QUARTET}]", "vendor of a logical unit",
      "tgt and lio and scst can"
    ),
    (
      "tgt", "luns: [{lun: 0, path: /srv/disk1}]", "lun 0, 1 to 16383 are allowed", "iet and lio and scst can"
    ),
  ]) func refusalsNameWhoCan(_ name: String, _ line: String, _ what: String, _ who: String) async throws {
    let machine = machine(
      with: "quartet: 1\ntargets:\n  - name: iqn.2011-12.com.example:disk1\n    \(line)\n")
    let before = try await machine.read(name)
    let refused = await machine.quartet("apply", "-i", name, "/etc/state.yaml")
    #expect(
      refused.status == 3 && refused.errors.contains(what) && refused.errors.contains(who),
      "\(refused.errors)")
    #expect(try await machine.read(name) == before)
  }
}
