import HostInterface
import TargetCore

/// The handlers that make devices.
enum SCSTHandler: String, CaseIterable {
  case fileio = "vdisk_fileio"
  case blockio = "vdisk_blockio"
  case nullio = "vdisk_nullio"
  case cdrom = "vcdrom"
  case disk = "dev_disk"

  /// Whether its devices are made of a file or block device.
  var hasFile: Bool { self == .fileio || self == .blockio }
}

/// The attributes of devices, as SCST 3.11 has them (scst/README, vdisk_fileio and vdisk_blockio).
enum SCSTAttributes {
  /// What values an attribute takes.
  enum Domain {
    case flag, number
    /// A text of at most so many bytes.
    case text(Int)
    case words([String])
    /// A NUMA node of this machine, or -1.
    case node
    /// Hexadecimal digits behind `0x`, so many of them.
    case digits([Int], first: String)
  }

  struct Attribute {
    var domain: Domain
    var handlers: Set<SCSTHandler>
    /// Whether `add_device` takes it.
    var atCreation = false
    /// Whether it can be written when the device is there.
    var later = true
    /// The value that a device has by itself.
    var standard: String?
  }

  private static let files: Set<SCSTHandler> = [.fileio, .blockio]
  private static let disks: Set<SCSTHandler> = [.fileio, .blockio, .nullio]
  private static let virtual: Set<SCSTHandler> = [.fileio, .blockio, .nullio, .cdrom]

  static let all: [String: Attribute] = [
    "async": Attribute(domain: .flag, handlers: [.fileio], atCreation: true, standard: "0"),
    "bind_alua_state": Attribute(domain: .flag, handlers: files, atCreation: true),
    "cluster_mode": Attribute(domain: .flag, handlers: disks, atCreation: true, standard: "0"),
    "dif_mode": Attribute(domain: .text(256), handlers: files, atCreation: true, later: false),
    "dif_type": Attribute(domain: .number, handlers: files, atCreation: true, later: false),
    "dif_static_app_tag": Attribute(domain: .text(256), handlers: files, atCreation: true, later: false),
    "dif_filename": Attribute(domain: .text(256), handlers: files, atCreation: true, later: false),
    "dummy": Attribute(
      domain: .flag, handlers: [.nullio], atCreation: true, later: false, standard: "0"),
    "nv_cache": Attribute(domain: .flag, handlers: files, atCreation: true, later: false, standard: "0"),
    "o_direct": Attribute(
      domain: .flag, handlers: [.fileio], atCreation: true, later: false, standard: "0"),
    "rotational": Attribute(domain: .flag, handlers: disks, atCreation: true, later: false, standard: "1"),
    "tst": Attribute(domain: .flag, handlers: virtual, atCreation: true, later: false, standard: "1"),
    "numa_node_id": Attribute(domain: .node, handlers: disks, atCreation: true, standard: "-1"),
    "size": Attribute(domain: .number, handlers: [.nullio], atCreation: true, standard: "2748779069440"),
    "eui64_id": Attribute(domain: .digits([16, 24, 32], first: ""), handlers: virtual, standard: ""),
    "naa_id": Attribute(domain: .digits([16, 32], first: "2356"), handlers: virtual, standard: ""),
    "expl_alua": Attribute(domain: .flag, handlers: files, standard: "0"),
    "inq_vend_specific": Attribute(domain: .text(112), handlers: virtual, standard: ""),
    "lb_per_pb_exp": Attribute(domain: .flag, handlers: files, standard: "1"),
    "max_tgt_dev_commands": Attribute(domain: .number, handlers: virtual, standard: "64"),
    "opt_trans_len": Attribute(domain: .number, handlers: disks, standard: "524288"),
    "read_zero": Attribute(domain: .flag, handlers: [.nullio], standard: "0"),
    "scsi_device_name": Attribute(domain: .text(256), handlers: virtual, standard: ""),
    "threads_num": Attribute(domain: .number, handlers: virtual),
    "threads_pool_type": Attribute(
      domain: .words(["per_initiator", "shared"]), handlers: virtual, standard: "per_initiator"),
    "vend_specific_id": Attribute(domain: .text(128), handlers: virtual),
  ]

  /// The name of a device; an attribute of Quartet's.
  static let name = "device"

  /// Files of a device that are no settings, or that the model has as fields.
  static let passedOver: Set<String> = [
    "active", "block", "blocksize", "dump_prs", "exported", "filename", "gen_tp_soft_threshold_reached_UA",
    "handler", "pr_file_name", "pr_state", "prod_id", "prod_rev_lvl", "read_only", "removable",
    "resync_size",
    "size_mb", "sync", "t10_dev_id", "t10_vend_id", "thin_provisioned", "type", "usn", "write_through",
    "scsi_device",
  ]

  /// The value that a device has by itself; nil where that depends on more than the handler.
  static func standard(_ name: String, _ handler: SCSTHandler) -> String? {
    switch name {
    case "threads_num": handler == .fileio || handler == .cdrom ? "8" : "1"
    case "bind_alua_state": handler == .blockio ? "1" : "0"
    default: all[name]?.standard
    }
  }

  /// Checks an attribute before anything is written.
  ///
  /// - Throws: ``Failure`` with code `invalid` or `unsupported`.
  static func check(
    _ name: String, _ value: String, _ handler: SCSTHandler, blockSize: UInt32?, nodes: Set<String>,
    place: String
  ) throws {
    guard name != Self.name, let attribute = all[name] else { return }
    func refuse(_ allowed: String) -> Failure {
      Failure(.invalid, place, "cannot have \(name) \(value.debugDescription), \(allowed)")
    }
    guard attribute.handlers.contains(handler) else {
      let able = attribute.handlers.map(\.rawValue).sorted().joined(separator: ", ")
      throw Failure(.unsupported, place, "cannot have \(name), which is an attribute of \(able)")
    }
    switch attribute.domain {
    case .flag: guard value == "0" || value == "1" else { throw refuse("0 and 1 are allowed") }
    case .number:
      guard let number = UInt64(value), String(number) == value, number <= UInt64(Int64.max) else {
        throw refuse("a number in plain decimal digits is allowed")
      }
      let block = UInt64(max(1, blockSize ?? 512))
      guard !["size", "opt_trans_len"].contains(name) || number % block == 0 else {
        throw refuse("multiples of the block size (\(block)) are allowed")
      }
    case .text(let longest):
      guard value.utf8.count <= longest else { throw refuse("at most \(longest) bytes are allowed") }
      // What is a parameter of add_device is one word.
      guard !attribute.atCreation || SCSTToken.isOne(value) else {
        throw refuse("a word without blanks, '=' and ';' is allowed")
      }
    case .words(let words):
      guard words.contains(value) else { throw refuse("\(words.joined(separator: " and ")) are allowed") }
    case .node:
      // A node that is not there is a crash of the kernel.
      guard value == "-1" || nodes.contains(value) else {
        throw refuse(
          "-1 and the nodes of this machine (\(nodes.sorted().joined(separator: ", "))) are allowed")
      }
    case .digits(let counts, let first):
      let digits = value.lowercased().hasPrefix("0x") ? value.dropFirst(2) : value[...]
      let isAllowed =
        value.isEmpty
        || (counts.contains(digits.count) && digits.allSatisfy { $0.isASCII && $0.isHexDigit }
          && (first.isEmpty || digits.first.map(first.contains) == true))
      guard isAllowed else {
        throw refuse("\(counts.map(String.init).joined(separator: ", ")) hexadecimal digits are allowed")
      }
    }
  }
}

/// Words of SCST's commands.
enum SCSTToken {
  /// Whether a text is one word and nothing else to SCST: no blank, `=`, `;` or control character.
  static func isOne(_ text: String) -> Bool {
    !text.isEmpty
      && text.unicodeScalars.allSatisfy { $0.value > 0x20 && $0.value != 0x7f && $0 != "=" && $0 != ";" }
  }

  /// Whether a device of this name can be made without harm: SCST would take a name like one of its own files and
  /// lose that file, and `.` and `/` end in errors.
  static func isDeviceName(_ text: String) -> Bool {
    (1...64).contains(text.utf8.count) && !["mgmt", "type", "trace_level"].contains(text)
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
          true
        default: false
        }
      }
  }
}
