import HostInterface
import TargetCore

/// Logical units, and what initiators see of them.
extension MigrationTranslator {
  /// The unit as the destination is to have it; nil when it cannot have it at all.
  func unit(
    _ found: LogicalUnit, of target: Target, _ extra: LogicalUnit?, _ made: inout MigrationDocument
  ) -> LogicalUnit? {
    let place = "lun \(found.lun) of \(target.name)"
    if let why = whyLeftOut(found) {
      made.losses.append("\(place): is left out, \(why)")
      return nil
    }
    let known = completed(found, by: extra, of: target, place, &made)
    var unit = LogicalUnit(lun: known.lun, backing: known.backing)
    for field in UnitField.allCases where field != .store {
      carry(field, from: known, to: &unit, place, &made)
    }
    unit.store = store(for: unit)
    unit.initiators = audience(of: known, at: target, place, &made)
    identify(&unit, as: known, place, &made)
    let seen = ["naa_id", "eui64_id", "company_id"]
    attributes(known.attributes.filter { !seen.contains($0.key) }, place: place, &made)
    if let path = reserved(unit.backing) {
      made.obstacles.append(
        "\(place): \(names.destination) cannot express the path \(path); make a link to it")
    }
    checkHold(known, unit, place, &made)
    return unit
  }

  private func whyLeftOut(_ unit: LogicalUnit) -> String? {
    if let store = unit.store, from.unbackedStores.contains(store) {
      return "its store \(store) is the source's own and has no file"
    }
    guard case .path = unit.backing else { return "it has no backing that could be opened" }
    if let type = unit.deviceType, !able.deviceTypes.contains(type) {
      return "\(names.destination) has no device type \(type.rawValue)"
    }
    if !able.luns.contains(Int(unit.lun.number)) {
      return "\(names.destination) has luns \(able.luns.lowerBound) to \(able.luns.upperBound) only"
    }
    if let size = unit.blockSize, !able.blockSizes.contains(size) {
      return "\(names.destination) has no blocks of \(size) bytes"
    }
    return nil
  }

  /// The unit with what the source does not tell, from the file that was named, else as Quartet and the source make it.
  func completed(
    _ found: LogicalUnit, by extra: LogicalUnit?, of target: Target, _ place: String,
    _ made: inout MigrationDocument
  ) -> LogicalUnit {
    var unit = found
    for field in UnitField.allCases where unit[field] == nil { unit[field] = extra?[field] }
    let identity = Identity.derived(target: target.name, lun: unit.lun)
    var assumed: [String] = []
    for field in [UnitField.scsiID, .serial] where unit[field] == nil && from.unitFields[field] != nil {
      unit[field] = identity
      assumed.append(field.rawValue)
    }
    if !assumed.isEmpty {
      made.losses.append(
        "\(place): \(names.source) does not tell its \(assumed.joined(separator: " and ")), \(identity) is taken, "
          + "which is right where Quartet made it; else name a file that says it with --supplement")
    }
    let view = source.view(of: unit)
    let defaults = [(UnitField.vendor, view.vendor), (.product, view.product), (.revision, view.revision)]
    var named: [String] = []
    for (field, value) in defaults where unit[field] == nil {
      guard let value else { continue }
      unit[field] = value
      named.append(value)
    }
    if !named.isEmpty, from.unitFields[.vendor] != nil {
      made.remarks.append(
        "\(place): \(names.source) does not tell its vendor, product and revision, its defaults are taken "
          + "(\(named.joined(separator: ", ")))")
    }
    return unit
  }

  private func carry(
    _ field: UnitField, from known: LogicalUnit, to unit: inout LogicalUnit, _ place: String,
    _ made: inout MigrationDocument
  ) {
    guard let value = known[field], !value.isEmpty else { return }
    // Who it is has a look of its own, at what initiators see.
    let isIdentity = [.serial, .vendor, .product, .revision].contains(field)
    guard let longest = able.unitFields[field] else {
      let matters =
        ["thin", "removable", "readOnly"].contains(field.rawValue) ? value == "true" : value == "false"
      let isLost = field == .cache ? value == CacheMode.through.rawValue : matters && field != .deviceType
      if isLost { made.losses.append("\(place): \(names.destination) has no \(field.rawValue) \(value)") }
      return
    }
    guard value.utf8.count <= longest else {
      if !isIdentity {
        made.losses.append(
          "\(place): \(field.rawValue) \(value) is longer than \(longest) bytes and stays behind")
      }
      return
    }
    // 512 is what every implementation makes of a file by itself, and some versions cannot be told it.
    if field == .blockSize, value == "512" { return }
    // Neither says more than what a unit is by itself.
    if field == .online || field == .removable || field == .thin,
      value == (field == .online ? "true" : "false")
    {
      return
    }
    if field == .deviceType, value == DeviceType.disk.rawValue { return }
    unit[field] = value
  }

  private func store(for unit: LogicalUnit) -> String? {
    if let type = unit.deviceType, let store = able.storesByType[type] { return store }
    guard case .path(let path) = unit.backing, let kind = kind(path) else { return nil }
    return able.storesByKind[kind]
  }

  private func audience(
    of unit: LogicalUnit, at target: Target, _ place: String, _ made: inout MigrationDocument
  ) -> [Initiator]? {
    guard let audience = unit.initiators, Set(audience) != target.initiators, audience != [.all] else {
      return nil
    }
    guard able.unitInitiators else {
      made.losses.append(
        "\(place): is seen by everyone whom the target lets in, not by "
          + audience.map(\.description).joined(separator: ", ")
          + " only, since \(names.destination) shows all logical units to all")
      return nil
    }
    return audience.filter { able.initiatorKinds.contains($0.kind) }
  }

  /// Gives the unit what lets initiators see the same as before, and says what they will see otherwise.
  private func identify(
    _ unit: inout LogicalUnit, as known: LogicalUnit, _ place: String, _ made: inout MigrationDocument
  ) {
    let before = source.view(of: known)
    unit = destination.showing(before, unit, givingUpSerial: options.givesUpSerial)
    let after = destination.view(of: unit)
    if before.takesFUA == true, after.takesFUA != true {
      made.losses.append(
        "\(place): writes that are durable by themselves (FUA) are refused if its device has no write cache: unmount it "
          + "where initiators stay logged in")
    }
    for difference in before.differences(from: after) {
      let consequence =
        difference.name == "WWID" ? "; multipath maps and paths by id of the initiators change" : ""
      made.losses.append(
        "\(place): initiators see the \(difference.name) \(difference.theirs), not \(difference.mine)\(consequence)"
      )
    }
  }

  private func reserved(_ backing: Backing) -> String? {
    guard case .path(let path) = backing else { return nil }
    let reserved = able.reservedCharacters.union(able.reservedPathCharacters)
    return path.contains(where: reserved.contains) ? path : nil
  }

  private func checkHold(
    _ known: LogicalUnit, _ unit: LogicalUnit, _ place: String, _ made: inout MigrationDocument
  ) {
    guard MigrationTranslator.isHeld(known, from), MigrationTranslator.isHeld(unit, able) else { return }
    made.losses.append(
      "\(place): both implementations hold \(unit.backing) alone, so that it is removed from \(names.source) before "
        + "it is proven at \(names.destination)")
  }

  /// Whether a store keeps every other that does so from its block device.
  static func isHeld(_ unit: LogicalUnit, _ capabilities: Capabilities) -> Bool {
    unit.store.map(capabilities.exclusiveStores.contains) ?? false
  }
}
