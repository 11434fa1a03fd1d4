import HostInterface
import TargetCore

extension IETPlanner {
  /// The setting of a nullio unit that says how large it is, in sectors of 512 bytes.
  static let sectors = "Sectors"

  func addUnit(_ unit: LogicalUnit, to name: TargetName) throws -> [Step] {
    [try addition(of: unit, to: name, patience: nil)]
  }

  /// A number comes free when the last command to the old unit has ended.
  func replaceUnit(_ unit: LogicalUnit, of name: TargetName) throws -> [Step] {
    try removeUnit(unit.lun, from: name) + [addition(of: unit, to: name, patience: Self.quietLimit)]
  }

  private func addition(of unit: LogicalUnit, to name: TargetName, patience: Duration?) throws -> Step {
    let tid = try target(name).tid
    return step(
      Ietadm.newUnit(tid, unit.lun, try parameters(of: unit, name)), undo: [Ietadm.deleteUnit(tid, unit.lun)],
      patience: patience)
  }

  /// IET removes a unit under its sessions.
  ///
  /// Nothing is closed first, since closing a connection whose device hangs would hold up all of IET. Its identity is
  /// not shown, so that undoing gives it the one that Quartet gives.
  func removeUnit(_ lun: LUN, from name: TargetName) throws -> [Step] {
    let (target, tid) = try target(name)
    guard let unit = target.units[lun] else {
      throw Failure(.notFound, "lun \(lun) of \(name)", "does not exist")
    }
    let undo = (try? parameters(of: unit, name)).map { [Ietadm.newUnit(tid, lun, $0)] }
    return [step(Ietadm.deleteUnit(tid, lun), undo: undo ?? [])]
  }

  /// The parameters of a new unit, in the order and spelling that every version takes.
  ///
  /// - Throws: ``HostInterface/Failure`` for what IET would refuse without saying why, or take and not do.
  func parameters(of unit: LogicalUnit, _ name: TargetName) throws -> String {
    let place = "lun \(unit.lun) of \(name)"
    let store = unit.store ?? (unit.backing == .none ? "nullio" : "fileio")
    func refuse(_ problem: String, _ remedy: String) -> Failure {
      Failure(.unsupported, place, problem, remedy: remedy)
    }
    switch (store, unit.backing) {
    case ("nullio", .none): return try emptyUnit(unit, name, refuse)
    case ("nullio", .path):
      throw refuse("cannot have a backing, since nullio keeps nothing", "leave the path out")
    case ("fileio", .path(let path)), ("blockio", .path(let path)):
      guard unit.attributes[Self.sectors] == nil else {
        throw refuse("cannot be given Sectors, its backing has a size", "leave Sectors out")
      }
      return try "Path=\(path)" + identity(of: unit, name) + mode(of: unit, store, refuse)
        + blockSize(of: unit, refuse) + ",Type=\(store)"
    case ("fileio", .none), ("blockio", .none):
      throw refuse("cannot be without a backing", "name a file or block device, or use the store nullio")
    default:
      throw refuse("cannot use the store \(store), which IET does not have", "use fileio, blockio or nullio")
    }
  }

  private func identity(of unit: LogicalUnit, _ name: TargetName) -> String {
    // Without one IET makes it of the target's number, which another node need not give.
    let derived = Identity.derived(target: name, lun: unit.lun)
    return ",ScsiId=\(unit.scsiID ?? derived),ScsiSN=\(unit.serial ?? derived)"
  }

  private func mode(of unit: LogicalUnit, _ store: String, _ refuse: (String, String) -> Failure) throws
    -> String
  {
    if unit.readOnly == true { return ",IOMode=ro" }
    guard unit.cache == .back else { return "" }
    guard store == "fileio" else {
      throw refuse(
        "cannot have a write cache, since blockio has none", "use the store fileio, or cache: through")
    }
    return ",IOMode=wb"
  }

  private func blockSize(of unit: LogicalUnit, _ refuse: (String, String) -> Failure) throws -> String {
    guard let size = unit.blockSize, size != 512 else { return "" }
    // Where there is no unit to see it by, an older version refuses the unit.
    guard state.facts[IETFact.blockSizes] != "fixed" else {
      throw refuse(
        "cannot have blocks of \(size) bytes, which IET can from version 1.4.20 on", "use a block size of 512"
      )
    }
    return ",BlockSize=\(size)"
  }

  private func emptyUnit(_ unit: LogicalUnit, _ name: TargetName, _ refuse: (String, String) -> Failure)
    throws
    -> String
  {
    let derived = Identity.derived(target: name, lun: unit.lun)
    let named = [unit.scsiID, unit.serial].compactMap { $0 }.contains { $0 != derived }
    guard unit.readOnly != true, unit.cache != .back, unit.blockSize ?? 512 == 512, !named else {
      throw refuse("can have no setting but Sectors, since it is of the store nullio", "leave the others out")
    }
    guard let sectors = unit.attributes[Self.sectors] else { return "Type=nullio" }
    guard let number = UInt64(sectors), number > 0, number <= UInt64.max / 512, String(number) == sectors
    else {
      throw refuse("cannot have \(sectors) sectors", "give their number, from 1 on")
    }
    return "Type=nullio,Sectors=\(sectors)"
  }
}
