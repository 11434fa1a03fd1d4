import SystemPackage

/// What the attributes of a virtual device are, by its handler.
///
/// From recordings of SCST 3.11.0-pre.
enum DeviceTable {
  enum Handler: String, Sendable, CaseIterable {
    case fileio = "vdisk_fileio"
    case blockio = "vdisk_blockio"
    case nullio = "vdisk_nullio"
    case cdrom = "vcdrom"
    case disk = "dev_disk"

    var type: String {
      self == .cdrom ? "5 - CD-ROM device" : "0 - Direct-access device (e.g., magnetic disk)"
    }
    var isVirtual: Bool { self != .disk }
    var hasFile: Bool { self == .fileio || self == .blockio }
    var vendor: String { self == .blockio ? "SCST_BIO" : "SCST_FIO" }
    var threads: String { self == .fileio || self == .cdrom ? "8" : "1" }
  }

  /// The parameters of `add_device` that are kept as they are, with their values when they are not given.
  static func parameters(of handler: Handler) -> [String: String] {
    var list = ["tst": "1"]
    if handler == .cdrom { return list }
    for (name, value) in [
      ("blocksize", "512"), ("cluster_mode", "0"), ("numa_node_id", "-1"), ("read_only", "0"),
      ("removable", "0"), ("rotational", "1"),
    ] {
      list[name] = value
    }
    if handler == .nullio {
      list["dummy"] = "0"
      return list
    }
    for name in ["nv_cache", "thin_provisioned", "write_through", "expl_alua"] { list[name] = "0" }
    list["active"] = "1"
    list["bind_alua_state"] = handler == .blockio ? "1" : "0"
    if handler == .fileio { for name in ["async", "o_direct"] { list[name] = "0" } }
    return list
  }

  /// The names of parameters that `add_device` takes.
  static func allowed(_ handler: Handler) -> Set<String> {
    var names = Set(parameters(of: handler).keys).subtracting(["expl_alua"])
    if handler == .cdrom { return names }
    names.formUnion(["t10_dev_id", "dif_mode", "dif_type", "dif_static_app_tag", "dif_filename"])
    if handler != .nullio { names.insert("filename") }
    // fileio does not look at a list of its own.
    if handler != .blockio { names.formUnion(["size", "size_mb"]) }
    return names
  }

  /// What is fixed once a device is there.
  static let fixed: Set<String> = [
    "blocksize", "read_only", "rotational", "write_through", "nv_cache", "thin_provisioned", "tst",
    "o_direct",
    "removable", "dummy",
  ]

  /// Attributes that hold a text of at most so many bytes.
  static let texts: [String: Int] = [
    "t10_vend_id": 8, "prod_id": 16, "prod_rev_lvl": 4, "vend_specific_id": 128, "scsi_device_name": 256,
    "t10_dev_id": 25, "usn": 20, "inq_vend_specific": 112,
  ]

  /// A file's text for a value that may be another than the one it has by itself.
  static func content(_ value: String, isKey: Bool) -> String { value + "\n" + (isKey ? "[key]\n" : "") }
}
