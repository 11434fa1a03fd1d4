/// The file in which the kernel keeps the persistent reservations of a device through a loss of power
/// (core_scsi3_update_aptpl_buf in drivers/target/target_core_pr.c).
enum APTPLFile {
  /// The registrations, each as its `key=value` lines.
  static func registrations(_ text: String) -> [[String]] {
    var records: [[String]] = []
    var record: [String]?
    for line in text.split(whereSeparator: { $0 == "\n" || $0 == "\0" }) {
      if line.hasPrefix("PR_REG_START:") {
        record = []
      } else if line.hasPrefix("PR_REG_END:") {
        if let record, !record.isEmpty { records.append(record) }
        record = nil
      } else if line.contains("="), !line.contains(",") {
        record?.append(String(line))
      }
    }
    return records
  }
}
