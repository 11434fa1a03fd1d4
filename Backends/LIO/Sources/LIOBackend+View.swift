import TargetCore

/// What initiators see, as `spc_emulate_evpd_83` of drivers/target/target_core_spc.c makes it.
extension LIOBackend {
  /// OpenFabrics' number, which LIO uses unless another is set.
  private static let company = "0x001405"

  func view(of unit: LogicalUnit) -> InitiatorView {
    var view = InitiatorView()
    // What is passed through says itself who it is.
    if unit.deviceType == .passthrough || unit.store == "pscsi" { return view }
    view.vendor = unit.vendor ?? "LIO-ORG"
    (view.product, view.revision) = (unit.product, unit.revision)
    view.takesFUA = takesFUA(unit)
    guard let serial = unit.serial, !serial.isEmpty else { return view }
    view.serial = serial
    let company = (unit.attributes["company_id"] ?? Self.company).lowercased().dropFirst(2)
    // The digits of the serial number; what is none is passed over.
    let digits = serial.lowercased().filter(\.isHexDigit).prefix(25)
    view.wwid = "36" + company + digits + String(repeating: "0", count: 25 - digits.count)
    return view
  }

  /// A device without a write cache refuses such writes (`target_check_fua` of target_core_device.c and
  /// `sbc_check_dpofua` of target_core_sbc.c); whether there is one, a block device or a handler says itself.
  private func takesFUA(_ unit: LogicalUnit) -> Bool? {
    guard unit.store == "fileio" else { return nil }
    let hasCache = unit.cache == .back || unit.attributes["emulate_write_cache"] == "1"
    return hasCache && unit.attributes["emulate_fua_write"] != "0"
  }

  func showing(_ view: InitiatorView, _ unit: LogicalUnit, givingUpSerial: Bool) -> LogicalUnit {
    var unit = unit
    // A cache that is said to be there, and keeps nothing: each write is durable when it is answered, as before.
    if view.takesFUA == true, takesFUA(unit) == false { unit.attributes["emulate_write_cache"] = "1" }
    return showing(wwidOf: view, unit, givingUpSerial: givingUpSerial)
  }

  /// The identifier is made of the serial number, so that only that of a company can be chosen beside it.
  private func showing(wwidOf view: InitiatorView, _ unit: LogicalUnit, givingUpSerial: Bool) -> LogicalUnit {
    guard let digits = view.extendedNAA?.dropFirst() else { return unit }
    var other = unit
    other.attributes["company_id"] = "0x" + digits.prefix(6)
    if givingUpSerial { other.serial = String(digits.dropFirst(6)) }
    return self.view(of: other).wwid == view.wwid ? other : unit
  }
}
