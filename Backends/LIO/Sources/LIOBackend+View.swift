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
    guard let serial = unit.serial, !serial.isEmpty else { return view }
    view.serial = serial
    let company = (unit.attributes["company_id"] ?? Self.company).lowercased().dropFirst(2)
    // The digits of the serial number; what is none is passed over.
    let digits = serial.lowercased().filter(\.isHexDigit).prefix(25)
    view.wwid = "36" + company + digits + String(repeating: "0", count: 25 - digits.count)
    return view
  }

  /// The identifier is made of the serial number, so that only that of a company can be chosen beside it.
  func showing(wwidOf view: InitiatorView, _ unit: LogicalUnit, givingUpSerial: Bool) -> LogicalUnit {
    guard let digits = view.extendedNAA?.dropFirst() else { return unit }
    var other = unit
    other.attributes["company_id"] = "0x" + digits.prefix(6)
    if givingUpSerial { other.serial = String(digits.dropFirst(6)) }
    return self.view(of: other).wwid == view.wwid ? other : unit
  }
}
