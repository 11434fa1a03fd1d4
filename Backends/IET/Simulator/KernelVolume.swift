import Glibc
import HostInterface
import SystemPackage

/// Which IET is modelled.
public enum IETVersion: String, Sendable, CaseIterable {
  /// The release of November 2009.
  case release19 = "1.4.19"
  /// The development state of January 2010, which calls itself 1.4.19: deleting a target with sessions ends ietd.
  case january2010
  /// 1.4.20, from its source: blocks are shown and can be larger, keys are read in any case.
  case release20 = "1.4.20"

  /// What ietadm calls itself.
  var name: String { self == .january2010 ? IETVersion.release19.rawValue : rawValue }
}

/// What is at a path, as far as a logical unit can be made of it.
struct FoundBacking {
  var kind: FileStatus.Kind
  var size: UInt64
  /// Whether a file system or something else has the device for itself.
  var isHeld: Bool
}

/// A logical unit of the kernel's (kernel/volume.c, file-io.c, block-io.c, null-io.c).
struct KernelVolume {
  enum Kind: String { case fileio, blockio, nullio }

  var lun: UInt32
  var kind = Kind.fileio
  var mode = "wt"
  var path: String?
  /// The identity that initiators see: 16 bytes at most.
  private(set) var scsiID = ""
  private(set) var serial = ""
  private var sectors: UInt64 = 0
  private var blockSize: UInt64 = 512
  private var size: UInt64 = 0
  /// Commands under way.
  var commands = 0
  var isDeleted = false

  /// Makes one of the parameters of `--params` or of a Lun line.
  init(
    _ lun: UInt32, _ parameters: String, _ version: IETVersion, _ look: (String) -> FoundBacking?
  ) throws(Errno) {
    self.lun = lun
    let words = parameters.split(separator: ",").map(String.init)
    try readKind(words, version)
    for word in words { try take(word, version, look) }
    switch kind {
    case .nullio: if sectors == 0 { sectors = 1 << 27 }
    case .fileio, .blockio: if path == nil { throw .invalidArgument }
    }
    // A device has neither cache nor any other mode to the initiators.
    if kind == .blockio, mode == "wb" { mode = "wt" }
  }

  private static func pair(_ word: String, _ version: IETVersion) -> (key: String, value: String) {
    let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2 else { return ("", word) }
    return (Self.names(parts[0], version), parts[1])
  }

  /// A key as it is compared.
  private static func names(_ name: String, _ version: IETVersion) -> String {
    version == .release20 ? name.lowercased() : name
  }

  /// The type and the mode are looked for before anything else.
  private mutating func readKind(_ words: [String], _ version: IETVersion) throws(Errno) {
    var unknown = false
    for word in words {
      let (key, value) = Self.pair(word, version)
      if key == Self.names("Type", version) {
        if let found = Kind(rawValue: value) { kind = found } else { unknown = true }
      } else if key == Self.names("IOMode", version) {
        if ["ro", "wb"].contains(value) {
          mode = value
        } else if version == .release20, value != "wt" {
          throw .invalidArgument
        }
      }
    }
    if unknown { throw .noSuchFileOrDirectory }
  }

  private mutating func take(
    _ word: String, _ version: IETVersion, _ look: (String) -> FoundBacking?
  ) throws(Errno) {
    let (key, value) = Self.pair(word, version)
    func named(_ name: String) -> Bool { key == Self.names(name, version) }
    if named("Type") { return }
    if named("BlockSize"), version == .release20 {
      guard let size = UInt64(value), [512, 1024, 2048, 4096].contains(size) else { throw .invalidArgument }
      return blockSize = size
    }
    if kind == .nullio {
      // A number is matched by its digits alone.
      guard named("Sectors"), !value.isEmpty, value.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
        throw .invalidArgument
      }
      return sectors = strtoull(value, nil, 10)
    }
    if named("IOMode") { return }
    if named("ScsiId") || named("ScsiSN") {
      guard value.utf8.count <= 16 else { throw .invalidArgument }
      if named("ScsiId") { scsiID = value } else { serial = value }
      return
    }
    guard named("Path"), path == nil else { throw .invalidArgument }
    try open(value, look)
  }

  private mutating func open(_ path: String, _ look: (String) -> FoundBacking?) throws(Errno) {
    // ietd's working directory is /.
    guard let found = look(path.hasPrefix("/") ? path : "/" + path) else { throw .noSuchFileOrDirectory }
    if kind == .blockio {
      guard found.kind == .blockDevice else { throw Errno(rawValue: ENOTBLK) }
      if found.isHeld { throw .resourceBusy }
    } else {
      if found.kind == .directory, mode != "ro" { throw .isDirectory }
      guard found.kind == .file || found.kind == .blockDevice else { throw .invalidArgument }
    }
    self.path = path
    size = found.size
  }

  /// The line of /proc/net/iet/volume, without its tab.
  func text(_ version: IETVersion) -> String {
    var text = "lun:\(lun) state:\(isDeleted ? 1 : 0) iotype:\(kind.rawValue) iomode:\(mode)"
    if version == .release20 {
      let bytes = kind == .nullio ? sectors * 512 : size
      text += " blocks:\(bytes / blockSize) blocksize:\(blockSize)"
    }
    if let path { text += " path:\(path)" }
    if kind == .nullio, version != .release20 { text += " sectors:\(sectors)" }
    return text
  }
}
