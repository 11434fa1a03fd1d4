import Simulation
import SystemPackage

/// One logical unit of tgtd (`struct scsi_lu` of usr/tgtd.h).
struct Unit {
  let lun: UInt64
  let type: DeviceType
  var store: String
  var path: String?
  /// In bytes.
  var size: UInt64 = 0
  var blockShift: UInt32 = 0
  var flags: Flags = []
  var scsiID: String
  var serial: String
  var isOnline = false
  // The C fields are of one byte: what is kept of a number are its lowest 8 bits.
  var removable: Int8 = 0
  var readOnly: Int8 = 0
  var thinProvisioning: Int8 = 0
  /// An initiator forbids to take the medium out (PREVENT ALLOW MEDIUM REMOVAL).
  var isRemovalPrevented = false
  /// Commands that initiators wait for.
  var commandsUnderWay = 0

  /// `bsoflags`.
  struct Flags: OptionSet {
    let rawValue: Int
    static let sync = Flags(rawValue: 1)
    static let direct = Flags(rawValue: 2)

    /// Reads `sync`, `direct` or `sync:direct`; nil for another word (`str_to_open_flags` of usr/util.c).
    init?(text: String) {
      self = []
      for word in text.split(separator: ":") {
        let word = word.drop { $0 == " " }
        if word.hasPrefix("sync") {
          insert(.sync)
        } else if word.hasPrefix("direct") {
          insert(.direct)
        } else {
          return nil
        }
      }
    }

    init(rawValue: Int) { self.rawValue = rawValue }

    var text: String {
      [contains(.sync) ? "sync" : "", contains(.direct) ? "direct" : ""].filter { !$0.isEmpty }.joined(
        separator: ":")
    }
  }

  /// A unit as its device type makes it (`spc_lu_init` of usr/spc.c and those that call it).
  init(lun: UInt64, tid: Int32, type: DeviceType, store: String) {
    self.lun = lun
    self.type = type
    self.store = store
    let number = String(lun, radix: 16)
    let id = String(UInt32(bitPattern: tid), radix: 16)
    scsiID = CText.cut("IET     \(Self.zeroPadded(id))\(Self.zeroPadded(number))", to: 36)
    serial = CText.cut("beaf\(tid)\(lun)", to: 36)
    switch type.number {
    case 0x00: blockShift = 9
    case 0x01: removable = 1
    case 0x05:
      removable = 1
      self.store = "mmc"
    case 0x08:
      removable = 1
      isOnline = true
      self.store = "smc"
    case DeviceType.controller.number: isOnline = true
    default: break
    }
  }

  private static func zeroPadded(_ digits: String) -> String {
    String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }

  /// Opens another backing path, first closing the one there is (`tgt_device_path_update` of usr/target.c).
  mutating func open(_ newPath: String, on host: SimulatedHost) throws {
    if path != nil {
      guard !isOnline else { throw TgtadmError.invalidRequest }
      try goOffline()
      path = nil
      size = 0
    }
    let store = BackingStore.all.first { $0.name == self.store }
    guard let opened = store?.open(newPath, on: host) else { throw TgtadmError.invalidRequest }
    // The store writes what it reads of a tape into data that only the device type tape has.
    guard self.store != "ssc" || type.name == "tape" else { throw Crash() }
    if opened.isReadOnly { readOnly = 1 }
    size = opened.size
    path = newPath
    goOnline(on: host)
  }

  /// A cd is online only where its medium is (`mmc_lu_online` of usr/mmc.c); others are without one too.
  mutating func goOnline(on host: SimulatedHost) {
    let hasMedium = path.flatMap { try? host.status(FilePath($0)) } != nil
    isOnline = type.name != "cd/dvd" || hasMedium
  }

  mutating func goOffline() throws(TgtadmError) {
    guard !isRemovalPrevented else { throw .removalPrevented }
    isOnline = false
  }

  /// Its part of `--mode target --op show`.
  var text: String {
    func word(_ value: Bool) -> String { value ? "Yes" : "No" }
    return """
              LUN: \(lun)
                  Type: \(type.name)
                  SCSI ID: \(scsiID)
                  SCSI SN: \(serial)
                  Size: \(Self.megabytes(size)) MB, Block size: \(UInt32(1) << blockShift)
                  Online: \(word(isOnline))
                  Removable media: \(word(removable != 0))
                  Prevent removal: \(word(isRemovalPrevented))
                  Readonly: \(word(readOnly != 0))
                  SWP: No
                  Thin-provisioning: \(word(thinProvisioning != 0))
                  Backing store type: \(store)
                  Backing store path: \(path ?? "None")
                  Backing store flags: \(flags.text)

      """
  }

  /// The size as disks are sold (`print_disksize` of usr/target.c); the arithmetic is that of unsigned 64 bits.
  static func megabytes(_ size: UInt64) -> UInt64 {
    let sectors = size / 512
    return (sectors &- (sectors / 625 &- 974)) / 1950
  }
}
