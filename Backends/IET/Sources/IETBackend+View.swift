import TargetCore

/// What initiators see (Fixtures/IET/sessions.jsonl, the INQUIRY pages).
extension IETBackend {
  func view(of unit: LogicalUnit) -> InitiatorView {
    var view = InitiatorView()
    (view.vendor, view.product, view.revision) = ("IET", "VIRTUAL-DISK", "0")
    view.serial = unit.serial
    view.takesFUA = true
    // A designator in binary: the vendor in 8 bytes and the SCSI id in 16, both with zeros behind them.
    view.wwid = unit.scsiID.map { id in
      let bytes = Array(id.utf8.prefix(16))
      let padding = [UInt8](repeating: 0, count: 16 - bytes.count)
      return "1" + InitiatorView.digits(of: Array("IET\0\0\0\0\0".utf8) + bytes + padding)
    }
    return view
  }

  /// The kind of the designator cannot be chosen, nor can the vendor in it.
  func showing(_ view: InitiatorView, _ unit: LogicalUnit, givingUpSerial: Bool) -> LogicalUnit { unit }
}
