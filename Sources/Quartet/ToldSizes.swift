import HostInterface
import SystemPackage
import TargetCore

/// Whether initiators are told the size that a backing has, as far as the implementation tells that itself.
///
/// LIO asks a block device for its size whenever an initiator does, and tells none of its own; IET tells one from
/// 1.4.20 on.
extension Implementation {
  /// The changes that show initiators the size of what has grown.
  ///
  /// - Parameters:
  ///   - sizes: What the devices have, in bytes.
  ///   - grown: Those that have grown just now, so that a size that cannot be told is an old one.
  public func resizes(of sizes: [String: UInt64], grown: Set<String>) async throws -> [Change] {
    try await read().targets.values.sorted { $0.name < $1.name }.flatMap { target in
      target.units.values.sorted { $0.lun < $1.lun }.compactMap { unit -> Change? in
        guard case .path(let path) = unit.backing, let size = sizes[path] else { return nil }
        return unit.isSmaller(than: size) || grown.contains(path) ? .resizeUnit(target.name, unit.lun) : nil
      }
    }
  }

  /// What to do by hand where the implementation cannot make a change of ``resizes(of:grown:)``; nil where it can.
  public func remedy(for resize: Change) -> String? {
    guard !backend.capabilities.resizesUnits, case .resizeUnit(let name, let lun, _) = resize else {
      return nil
    }
    return "lun \(lun) of \(name) keeps the size that it has, while its backing has grown; \(replacing)"
  }

  private var replacing: String {
    "\(descriptor.name) takes another size only when the logical unit is removed and added again"
  }

  /// A line for each logical unit that has another size than its backing.
  ///
  /// - Parameters:
  ///   - targets: Whose logical units are looked at.
  ///   - live: What there is.
  ///   - changes: What will be done; what is made or resized by it is left out.
  func otherSizes(in targets: Set<TargetName>, of live: LiveState, before changes: [Change]) -> [String] {
    var seen = live
    for change in changes {
      switch change {
      case .deleteTarget(let name, _): seen.targets[name] = nil
      case .addUnit(let name, let unit), .replaceUnit(let name, let unit, _):
        seen.targets[name]?.units[unit.lun] = nil
      case .resizeUnit(let name, let lun, _), .removeUnit(let name, let lun, _):
        seen.targets[name]?.units[lun] = nil
      default: break
      }
    }
    return targets.sorted().flatMap { name in
      (seen.targets[name]?.units.values.sorted { $0.lun < $1.lun } ?? []).compactMap {
        otherSize(of: $0, in: name)
      }
    }
  }

  private func otherSize(of unit: LogicalUnit, in name: TargetName) -> String? {
    // A tape or a medium is not as large as its file.
    guard case .path(let path) = unit.backing, [nil, .disk].contains(unit.deviceType), unit.online != false,
      !backend.capabilities.unbackedStores.contains(unit.store ?? ""),
      let status = (try? host.status(FilePath(path))) ?? nil,
      status.kind == .file || status.kind == .blockDevice,
      unit.isSmaller(than: status.size) || unit.isLarger(than: status.size)
    else { return nil }
    let told = unit.size.map { "\($0) bytes" } ?? unit.printedSize ?? "another size"
    let remedy =
      backend.capabilities.resizesUnits
      ? "`quartet lun resize -i \(descriptor.name) \(name) \(unit.lun)` shows initiators what is there"
      : replacing
    return "lun \(unit.lun) of \(name) has \(told), and \(path) has \(status.size); \(remedy)"
  }
}

extension LogicalUnit {
  // tgtd tells whole megabytes of 10^6 (print_disksize() in usr/target.c); an extent is larger than their error.
  private static let printingError: UInt64 = 2_000_000

  private var printedBytes: UInt64? {
    let words = printedSize?.split(separator: " ") ?? []
    guard words.count == 2, words[1] == "MB", let count = UInt64(words[0]), count < 1 << 40 else {
      return nil
    }
    return count * 1_000_000
  }

  /// Whether its size is told, and is less than that of its backing, so that initiators see an old one.
  fileprivate func isSmaller(than bytes: UInt64) -> Bool {
    // What is behind the last whole block is not seen.
    if let size { return size < bytes - bytes % UInt64(max(blockSize ?? 512, 1)) }
    return printedBytes.map { $0 + Self.printingError <= bytes } ?? false
  }

  /// Whether its size is told, and is more than its backing has, so that what is behind that cannot be read.
  fileprivate func isLarger(than bytes: UInt64) -> Bool {
    if let size { return size > bytes }
    return printedBytes.map { $0 >= bytes + Self.printingError } ?? false
  }
}
