import HostInterface
import ReplicatedVolume
import SystemPackage
import TargetCore

/// Looks at the files and devices that logical units are to be made of, before anything is touched.
struct BackingCheck {
  let host: any Host
  let capabilities: Capabilities
  let live: LiveState
  /// Whether one backing may be exported more than once.
  var allowShared = false
  /// Where volumes of embedded pools are.
  var places = PoolPlaces.usual

  /// Checks every backing that the changes name.
  ///
  /// - Returns: The changes, with the size of each backing and the store that its kind of file wants.
  /// - Throws: ``Failure`` when one is missing, no file or block device, in use, or exported already.
  func checked(_ changes: [Change]) throws -> [Change] {
    let found = try backings(of: changes)
    var exports = allowShared ? [:] : try exported(unless: changes)
    return try changes.map { change in
      switch change {
      case .addUnit(let name, let unit): return .addUnit(name, try checked(unit, of: name, found, &exports))
      case .replaceUnit(let name, let unit, let force):
        return .replaceUnit(name, try checked(unit, of: name, found, &exports), force: force)
      case .resizeUnit(let name, let lun, _):
        guard case .path(let path)? = live.targets[name]?.units[lun]?.backing else { return change }
        return .resizeUnit(name, lun, size: try host.status(FilePath(path))?.size)
      default: return change
      }
    }
  }

  /// What stands at the paths of new logical units; none is used by something else.
  private func backings(of changes: [Change]) throws -> [String: FileStatus] {
    var found: [String: FileStatus] = [:]
    var uses: [(place: String, path: String, status: FileStatus)] = []
    for change in changes {
      guard let (name, unit) = newUnit(change), let path = pathToCheck(of: unit), found[path] == nil else {
        continue
      }
      let place = "lun \(unit.lun) of \(name)"
      let status = try status(of: path, for: unit, place: place)
      found[path] = status
      uses.append((place, path, status))
    }
    guard !uses.isEmpty else { return [:] }
    let holders = try host.holders(ofEach: uses.map { (FilePath($0.path), $0.status) })
    for (use, holders) in zip(uses, holders) {
      guard let first = holders.first else { continue }
      throw Failure(
        .inUse, use.place, "cannot use \(use.path), which is \(first)",
        remedy: "unmount or release it first; exporting what this machine uses itself destroys data")
    }
    return found
  }

  private func newUnit(_ change: Change) -> (TargetName, LogicalUnit)? {
    switch change {
    case .addUnit(let name, let unit), .replaceUnit(let name, let unit, _): (name, unit)
    default: nil
    }
  }

  private func pathToCheck(of unit: LogicalUnit) -> String? {
    guard case .path(let path) = unit.backing, !capabilities.unbackedStores.contains(unit.store ?? "") else {
      return nil
    }
    return path
  }

  private func checked(
    _ unit: LogicalUnit, of name: TargetName, _ found: [String: FileStatus], _ exports: inout [String: String]
  ) throws -> LogicalUnit {
    guard let path = pathToCheck(of: unit), let status = found[path] else { return unit }
    let place = "lun \(unit.lun) of \(name)"
    if !allowShared, let other = exports.updateValue(place, forKey: status.identity) {
      throw Failure(
        .inUse, place, "cannot use \(path), which is exported already as \(other)",
        remedy: "remove that one first, or say --shared-backing if both are meant to be the same disk")
    }
    var unit = unit
    unit.size = status.size
    if unit.store == nil {
      unit.store =
        unit.deviceType.flatMap { capabilities.storesByType[$0] } ?? capabilities.storesByKind[status.kind]
    }
    return unit
  }

  private func status(of path: String, for unit: LogicalUnit, place: String) throws -> FileStatus {
    let found = try host.status(FilePath(path))
    // What an ended process left at the place of a volume is empty.
    if found == nil || found?.size == 0, let volume = places.volume(at: path) {
      throw Failure(
        .notFound, place, "cannot use volume \(volume), which is not attached",
        remedy: "run `quartet volume attach \(volume)` first")
    }
    guard let status = found else {
      throw Failure(.notFound, place, "cannot use \(path), which does not exist", remedy: "create it first")
    }
    switch status.kind {
    case .file, .blockDevice: return status
    case .characterDevice where unit.deviceType == .passthrough: return status
    case .directory: throw Failure(.invalid, place, "cannot use \(path), which is a directory")
    case .characterDevice, .link, .other:
      throw Failure(.invalid, place, "cannot use \(path), which is no file and no block device")
    }
  }

  /// What backs the logical units that will stay, by the identity of the file or device.
  private func exported(unless changes: [Change]) throws -> [String: String] {
    let addsAny = changes.contains { change in
      switch change {
      case .addUnit, .replaceUnit: true
      default: false
      }
    }
    guard addsAny else { return [:] }
    var leaving: Set<String> = []
    var targetsLeaving: Set<TargetName> = []
    for change in changes {
      switch change {
      case .removeUnit(let name, let lun, _): leaving.insert("lun \(lun) of \(name)")
      case .replaceUnit(let name, let unit, _): leaving.insert("lun \(unit.lun) of \(name)")
      case .deleteTarget(let name, _): targetsLeaving.insert(name)
      default: break
      }
    }
    var exports: [String: String] = [:]
    for target in live.targets.values where !targetsLeaving.contains(target.name) {
      for unit in target.units.values {
        let place = "lun \(unit.lun) of \(target.name)"
        guard case .path(let path) = unit.backing, !leaving.contains(place) else { continue }
        // A backing that is gone blocks nothing.
        if let status = try? host.status(FilePath(path)) { exports[status.identity] = place }
      }
    }
    return exports
  }
}
