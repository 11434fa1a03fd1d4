import TargetCore

/// Reads `core/HBA/DEVICE/info`, of which every plug-in writes its own part.
struct LIOInfo {
  private let words: [Substring]

  /// Attributes of logical units that stand in it.
  static let attributes = newDeviceAttributes.union(["dev_size"])
  /// Those that only a new device can be given.
  static let newDeviceAttributes: Set<String> = [
    "rd_pages", "rd_nullio", "fd_async_io", "dev_config", "max_data_area_mb",
  ]

  init(_ text: String) { words = text.split(whereSeparator: \.isWhitespace) }

  private func word(after key: Substring) -> String? {
    words.firstIndex(of: key).flatMap { $0 + 1 < words.count ? String(words[$0 + 1]) : nil }
  }

  func fill(_ unit: inout LogicalUnit, _ plugin: String) {
    switch plugin {
    case "fileio":
      // TCM FILEIO ID: 0        File: /srv/disk1  Size: 67108864  Mode: O_DSYNC Async: 0
      if unit.backing == .none, let path = word(after: "File:"), path.hasPrefix("/") {
        unit.backing = .path(path)
      }
      unit.size = word(after: "Size:").flatMap { UInt64($0) }
      unit.cache = word(after: "Mode:") == "Buffered-WCE" ? .back : .through
      unit.attributes["fd_async_io"] = word(after: "Async:")
    case "rd_mcp":
      // PAGES/PAGE_SIZE: 1024*4096  SG_table_count: 1  nullio: 0 dummy: 0
      if let makeup = word(after: "PAGES/PAGE_SIZE:")?.split(separator: "*"), makeup.count == 2 {
        unit.attributes["rd_pages"] = String(makeup[0])
        unit.size = UInt64(makeup[0]).map { $0 &* 4096 }
      }
      unit.attributes["rd_nullio"] = word(after: "nullio:")
    case "iblock":
      // iBlock device: vda  UDEV PATH: /dev/vda  readonly: 0
      unit.readOnly = word(after: "readonly:") == "1" ? true : nil
      unit.cache = .through
    case "user":
      // Config: file//srv/disk1 Size: 67108864 MaxDataAreaMB: 1024 ...
      if let configuration = word(after: "Config:"), configuration != "NULL" {
        if configuration.hasPrefix("file//"), unit.backing == .none {
          unit.backing = .path(String(configuration.dropFirst("file/".count)))
        } else if !configuration.hasPrefix("file//") {
          unit.attributes["dev_config"] = configuration
        }
      }
      unit.size = word(after: "Size:").flatMap { UInt64($0) }
      unit.attributes["dev_size"] = word(after: "Size:")
      unit.attributes["max_data_area_mb"] = word(after: "MaxDataAreaMB:")
    default: break
    }
  }
}
