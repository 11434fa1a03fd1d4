import TargetCore

/// What initiators see, as `spc_lu_init` and `update_vpd_83` of tgt's usr/spc.c make it.
extension STGTBackend {
  func view(of unit: LogicalUnit) -> InitiatorView {
    var view = InitiatorView()
    if unit.deviceType == .passthrough { return view }
    view.vendor = unit.vendor ?? "IET"
    view.product = unit.product ?? (unit.deviceType ?? .disk == .disk ? "VIRTUAL-DISK" : nil)
    view.revision = unit.revision ?? "0001"
    view.serial = unit.serial
    view.wwid = unit.scsiID.map { "3" + Self.extendedNAA(of: $0) }
    view.takesFUA = true
    return view
  }

  /// tgtd reads the SCSI id as hexadecimal digits, with 0 for what is none, and takes the last 32 of them; the first
  /// becomes the 6 of a registered extended identifier.
  private static func extendedNAA(of id: String) -> String {
    let digits = id.utf8.map { byte -> Character in
      let scalar = UnicodeScalar(byte)
      return Character(scalar).isHexDigit ? Character(String(Character(scalar)).lowercased()) : "0"
    }
    let last = digits.suffix(32)
    return "6" + (String(repeating: "0", count: 32 - last.count) + String(last)).dropFirst()
  }

  func showing(_ view: InitiatorView, _ unit: LogicalUnit, givingUpSerial: Bool) -> LogicalUnit {
    guard let digits = view.extendedNAA, view.wwid != self.view(of: unit).wwid else { return unit }
    var unit = unit
    unit.scsiID = String(digits)
    return unit
  }
}
