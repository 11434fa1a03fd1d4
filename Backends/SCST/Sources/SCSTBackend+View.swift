import TargetCore

/// What initiators see, as `vdisk_dev_id_vpd` of scst_vdisk.c makes it.
extension SCSTBackend {
  func view(of unit: LogicalUnit) -> InitiatorView {
    var view = InitiatorView()
    if unit.deviceType == .passthrough { return view }
    (view.vendor, view.product, view.revision) = (unit.vendor, unit.product, unit.revision)
    view.serial = unit.serial
    view.takesFUA = true
    if let naa = Self.digits(unit.attributes["naa_id"]) {
      view.wwid = "3" + naa
    } else if let eui = Self.digits(unit.attributes["eui64_id"]) {
      view.wwid = "2" + eui
    } else if let id = unit.scsiID {
      // Without either, the first bytes of t10_dev_id are shown as an EUI-64.
      let bytes = Array(id.utf8.prefix(8))
      view.wwid = "2" + InitiatorView.digits(of: bytes + [UInt8](repeating: 0, count: 8 - bytes.count))
    }
    return view
  }

  private static func digits(_ text: String?) -> String? {
    guard var text = text?.lowercased(), !text.isEmpty else { return nil }
    if text.hasPrefix("0x") { text.removeFirst(2) }
    return text.isEmpty ? nil : text
  }

  func showing(_ view: InitiatorView, _ unit: LogicalUnit, givingUpSerial: Bool) -> LogicalUnit {
    guard let wwid = view.wwid, let kind = wwid.first, wwid != self.view(of: unit).wwid else { return unit }
    let digits = wwid.dropFirst()
    guard digits.utf8.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }) else { return unit }
    var unit = unit
    switch (kind, digits.utf8.count, digits.first) {
    case ("3", 32, "6"), ("3", 16, "2"), ("3", 16, "3"), ("3", 16, "5"):
      unit.attributes["naa_id"] = "0x" + digits
    case ("2", 16, _), ("2", 24, _), ("2", 32, _): unit.attributes["eui64_id"] = "0x" + digits
    default: break
    }
    return unit
  }
}
