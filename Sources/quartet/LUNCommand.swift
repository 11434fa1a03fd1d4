import ArgumentParser
import HostInterface
import Quartet
import TargetCore

struct LUNCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lun", abstract: "Lists, adds, changes and removes logical units.",
    subcommands: [List.self, Add.self, Remove.self, Resize.self, SetCommand.self])

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "Lists the logical units of a target, or of all.",
      discussion: "EXAMPLE\n  quartet lun list iqn.2011-12.com.example:disk1")
    @OptionGroup var common: ImplementationOptions
    @Argument(help: "The target's name; all targets without it.") var target: String?

    func run() async throws {
      let state = try await common.implementation().read()
      let targets = try Output.chosen(target, in: state)
      if common.json { return Output.json(targets.map { TargetDocument($0) }) }
      Output.table(
        ["TARGET", "LUN", "STORE", "SIZE", "MODE", "CACHE", "SERIAL", "BACKING"],
        targets.flatMap { target in
          target.units.values.sorted { $0.lun < $1.lun }.map { unit in
            [
              target.name.description, unit.lun.description, unit.store ?? "-", Output.size(unit),
              unit.online == false ? "offline" : unit.readOnly == true ? "ro" : "rw",
              unit.cache?.rawValue ?? "-",
              unit.serial ?? "-", unit.backing.description,
            ]
          }
        })
    }
  }

  struct Add: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "add", abstract: "Adds a logical unit.",
      discussion: """
        Without --serial and --scsi-id it gets an identity made of the target's name and the LUN. Without --cache
        a write is acknowledged when it is on stable storage.

        EXAMPLES
          quartet lun add iqn.2011-12.com.example:disk1 2 /dev/vg1/lun2
          quartet lun add iqn.2011-12.com.example:disk1 3 /srv/install.iso --device-type cd --read-only true
          quartet lun add iqn.2011-12.com.example:disk1 2 /dev/vg1/new --replace
        """)
    @OptionGroup var common: ImplementationOptions
    @OptionGroup var change: ChangeOptions
    @OptionGroup var settings: UnitSettings
    @Argument(help: "The target's name.") var target: String
    @Argument(help: "The logical unit number.") var lun: String
    @Argument(help: "The file or block device; none for a drive without a medium.") var path: String?
    @Flag(help: "Put it in the place of the logical unit that has this number.") var replace = false
    @Flag(help: "With --replace, also when initiators are logged in.") var force = false

    func run() async throws {
      let name = try targetName(target)
      let backing = try path.map { try Backing(path: $0) } ?? Backing.none
      var unit = LogicalUnit(lun: try LUN(lun), backing: backing)
      try settings.fill(&unit)
      let capabilities = try await common.implementation().backend.capabilities
      unit = Reconciler(capabilities: capabilities).completed(unit, of: name)
      try await change.perform(
        common, [replace ? .replaceUnit(name, unit, force: force) : .addUnit(name, unit)])
    }
  }

  struct Remove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "remove", abstract: "Removes a logical unit; the data stays.",
      discussion: """
        Refused while initiators are logged in. With --force their connections are closed first; they come back
        and find the logical unit gone.

        EXAMPLE
          quartet lun remove iqn.2011-12.com.example:disk1 2
        """)
    @OptionGroup var common: ImplementationOptions
    @OptionGroup var change: ChangeOptions
    @Argument(help: "The target's name.") var target: String
    @Argument(help: "The logical unit number.") var lun: String
    @Flag(help: "Also when initiators are logged in.") var force = false

    func run() async throws {
      try await change.perform(common, [.removeUnit(targetName(target), LUN(lun), force: force)])
    }
  }

  struct Resize: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "resize", abstract: "Makes a logical unit show the size that its backing has now.",
      discussion: """
        Grow the file or volume first. Initiators see the new size after a rescan.

        EXAMPLE
          lvextend -L +10G vg1/lun2 && quartet lun resize iqn.2011-12.com.example:disk1 2
        """)
    @OptionGroup var common: ImplementationOptions
    @OptionGroup var change: ChangeOptions
    @Argument(help: "The target's name.") var target: String
    @Argument(help: "The logical unit number.") var lun: String

    func run() async throws { try await change.perform(common, [.resizeUnit(targetName(target), LUN(lun))]) }
  }

  struct SetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "set", abstract: "Changes settings of a logical unit in place.",
      discussion: """
        EXAMPLES
          quartet lun set iqn.2011-12.com.example:disk1 2 --read-only true
          quartet lun set iqn.2011-12.com.example:disk1 2 --online false
        """)
    @OptionGroup var common: ImplementationOptions
    @OptionGroup var change: ChangeOptions
    @OptionGroup var settings: UnitSettings
    @Argument(help: "The target's name.") var target: String
    @Argument(help: "The logical unit number.") var lun: String

    func run() async throws {
      let name = try targetName(target)
      var unit = LogicalUnit(lun: try LUN(lun), backing: .none)
      try settings.fill(&unit)
      guard UnitField.allCases.contains(where: { unit[$0] != nil }) || !unit.attributes.isEmpty else {
        throw Failure(.invalid, "lun \(lun) of \(name)", "nothing to set is named", remedy: "see --help")
      }
      try await change.perform(common, [.setUnit(name, unit)])
    }
  }
}

/// Settings of a logical unit as options.
struct UnitSettings: ParsableArguments {
  @Option(help: "How the implementation reaches the backing, such as tgt's rdwr or aio.") var store: String?
  @Option(help: "disk, cd, tape, changer, osd or passthrough.") var deviceType: String?
  @Option(help: "Bytes of a logical block.") var blockSize: UInt32?
  @Option(help: "true or false.") var readOnly: Bool?
  @Option(help: "through (acknowledged when on stable storage) or back.") var cache: String?
  @Option(help: "Whether unmapped blocks are given back, true or false.") var thin: Bool?
  @Option(help: "Whether the medium can be removed, true or false.") var removable: Bool?
  @Option(help: "Whether the medium is there, true or false.") var online: Bool?
  @Option(name: .customLong("scsi-id"), help: "The identity in VPD page 0x83.") var scsiID: String?
  @Option(help: "The serial number in VPD page 0x80.") var serial: String?
  @Option(help: "The vendor, up to 8 bytes.") var vendor: String?
  @Option(help: "The product, up to 16 bytes.") var product: String?
  @Option(help: "The revision, up to 4 bytes.") var revision: String?
  @Option(
    name: .customLong("attribute"),
    help: "One of the implementation's own settings, NAME=VALUE; may be repeated.")
  var attributes: [String] = []

  /// Puts what is named into a logical unit.
  func fill(_ unit: inout LogicalUnit) throws {
    unit.store = store
    unit.deviceType = try chosen(deviceType, "device type")
    unit.blockSize = blockSize
    unit.readOnly = readOnly
    unit.cache = try chosen(cache, "cache")
    unit.thin = thin
    unit.removable = removable
    unit.online = online
    unit.scsiID = scsiID
    unit.serial = serial
    unit.vendor = vendor
    unit.product = product
    unit.revision = revision
    for text in attributes {
      let (name, value) = try nameAndValue(text)
      unit.attributes[name] = value
    }
  }

  private func chosen<Choice: RawRepresentable<String> & CaseIterable>(_ text: String?, _ what: String) throws
    -> Choice?
  {
    guard let text else { return nil }
    if let choice = Choice(rawValue: text) { return choice }
    throw Failure(
      .invalid, "\(what) \(text.debugDescription)", "is not known",
      remedy: "use one of \(Choice.allCases.map(\.rawValue).joined(separator: ", "))")
  }
}
