import HostInterface
import Simulation
import SystemPackage

/// A kind of backing store (`struct backingstore_template` of usr/tgtd.h), in the order of Debian's build.
struct BackingStore {
  let name: String
  /// Whether it takes `sync` and `direct`; one that does not takes neither.
  let takesFlags: Bool

  static let all = [
    BackingStore(name: "sheepdog", takesFlags: false),
    BackingStore(name: "bsg", takesFlags: false),
    BackingStore(name: "sg", takesFlags: false),
    BackingStore(name: "null", takesFlags: false),
    BackingStore(name: "ssc", takesFlags: false),
    BackingStore(name: "smc", takesFlags: true),
    BackingStore(name: "mmc", takesFlags: true),
    BackingStore(name: "rdwr", takesFlags: true),
    BackingStore(name: "aio", takesFlags: false),
  ]

  /// Whether it hands commands on to a SCSI device, and so needs the device type `pt`.
  var passesThrough: Bool { name.hasPrefix("bsg") || name.hasPrefix("sg") }

  /// `NULL_BS_DEV_SIZE` of usr/bs_null.c, 1 TiB.
  private static let nullSize: UInt64 = 1 << 40
  /// `struct blk_header` and `struct MAM` of usr/bs_ssc.h, 48 and 1104 bytes: with less a file is no tape.
  private static let smallestTape: UInt64 = 48 + 1104

  /// What opening a path gives.
  struct Opened {
    var size: UInt64
    var isReadOnly = false
  }

  /// Opens a path; nil when it cannot.
  func open(_ path: String, on host: SimulatedHost) -> Opened? {
    if name == "null" { return Opened(size: Self.nullSize) }
    guard name != "sheepdog", let status = try? host.status(FilePath(path)) else { return nil }
    if passesThrough {
      // Major number 21 is that of /dev/sg*.
      let isGeneric = status.kind == .characterDevice && status.identity.hasPrefix("21:")
      return name == "sg" && isGeneric ? Opened(size: 0) : nil
    }
    guard status.kind == .file || status.kind == .blockDevice else { return nil }
    switch host.access(to: FilePath(path)) {
    case .full: return name == "ssc" && status.size < Self.smallestTape ? nil : Opened(size: status.size)
    case .readOnly: return name == "ssc" ? nil : Opened(size: status.size, isReadOnly: true)
    case .none: return nil
    }
  }
}

/// A kind of device (`struct device_type_template`), in the order of Debian's build.
struct DeviceType {
  /// The SCSI peripheral device type, or tgt's own number.
  let number: UInt32
  let name: String

  static let controller = DeviceType(number: 0x0c, name: "controller")
  static let all = [
    DeviceType(number: 0x00, name: "disk"),
    DeviceType(number: 0x05, name: "cd/dvd"),
    DeviceType(number: 0x11, name: "osd"),
    controller,
    DeviceType(number: 0x08, name: "changer"),
    DeviceType(number: 0x01, name: "tape"),
    DeviceType(number: 0xff, name: "passthrough"),
  ]
}
