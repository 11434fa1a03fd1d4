import HostInterface
import SystemPackage

/// What keeps LVM off the disks below DRBD.
///
/// LVM that sees such a disk finds the same physical volume on it as on the DRBD device. With DRBD down it activates
/// that copy, which is stale, and DRBD cannot be brought up any longer; with DRBD up `vgcreate` refuses duplicates.
/// So only an explicit list of devices is safe: a disk has many names, and one that is accepted lets it in
/// (lvm.conf(5), devices/global_filter).
public enum DeviceFilter {
  /// Where the filter is written: LVM reads it after lvm.conf (lvm.conf(5)).
  public static let path: FilePath = "/etc/lvm/lvmlocal.conf"
  /// The line before what Quartet wrote, and the one behind it.
  private static let mark = (
    "# written by quartet: it keeps LVM off the disks below DRBD", "# end of quartet's part"
  )

  /// Quartet's part: DRBD's devices, the physical volumes that are in use now, and nothing else.
  ///
  /// - Parameter replacing: Whether it takes the place of a devices file (lvmdevices(8)), with which LVM passes over every
  ///   filter. A DRBD device has nothing in it but its name, so that LVM 2.03.16 looks for the volume elsewhere when a
  ///   secondary does not let it in, finds it on the disk below, and enters that one.
  public static func part(keeping devices: [String], replacing devicesFile: Bool = false) -> String {
    let accepted = (["^/dev/drbd"] + devices.sorted().map { "^\(escaped($0))$" }).map { "\"a|\($0)|\"" }
    return """
      \(mark.0)
      devices {\(devicesFile ? "\n\tuse_devicesfile = 0" : "")
      \tglobal_filter = [ \(accepted.joined(separator: ", ")), "r|.*|" ]
      }
      \(mark.1)

      """
  }

  /// A file's text with this part instead of the one that it has.
  static func text(_ old: String, with part: String) -> String {
    let kept = without(old)
    return (kept.isEmpty || kept.hasSuffix("\n") ? kept : kept + "\n") + part
  }

  /// A file's text without Quartet's part.
  static func without(_ text: String) -> String {
    guard let start = text.firstRange(of: mark.0), let end = text.firstRange(of: mark.1 + "\n"),
      start.lowerBound < end.lowerBound
    else { return text }
    return String(text[..<start.lowerBound]) + text[end.upperBound...]
  }

  private static func escaped(_ path: String) -> String {
    String(path.flatMap { ".+*?()[]|^$\\".contains($0) ? ["\\", $0] : [$0] })
  }
}

/// The filter as it is.
struct FilterFile: Sendable, Hashable {
  /// The text of ``DeviceFilter/path``; nil when there is no such file.
  var text: String?
  /// What `lvmconfig` says of the filter that is in force.
  var inForce: String
  /// Whether LVM uses a file of devices instead (lvmdevices(8)).
  var usesDevicesFile: Bool
}

extension VolumeDriver {
  /// The text of the filter that keeps LVM off the disks below DRBD, as ``VolumeChange/applyFilter`` writes it.
  public func filter(for state: VolumeState) async throws -> String {
    DeviceFilter.part(keeping: state.devicesToKeep, replacing: try await usesDevicesFile())
  }

  /// Whether LVM goes by a file of devices (lvmdevices(8)) instead of its filters.
  private func usesDevicesFile() async throws -> Bool {
    try await setting("use_devicesfile").hasSuffix("=1")
  }

  /// Whether LVM enters the disk below DRBD into its file of devices when it does not find a volume where it was.
  func looksForDevices() async throws -> Bool {
    guard try await usesDevicesFile() else { return false }
    return try await !setting("search_for_devnames").hasSuffix("\"none\"")
  }

  /// `NAME=VALUE` of a setting of lvm.conf's section `devices` that is in force; empty when LVM has none of that name.
  private func setting(_ name: String) async throws -> String {
    let result = try await host.run(LVM.command(["lvmconfig", "--type", "full", Text("devices/\(name)")]))
    return String(decoding: result.output, as: UTF8.self).trimmed
  }

  /// Reads the filter.
  func filterFile() async throws -> FilterFile {
    let text = try host.status(DeviceFilter.path) == nil ? nil : host.text(DeviceFilter.path)
    return FilterFile(
      text: text, inForce: try await setting("global_filter"), usesDevicesFile: try await usesDevicesFile())
  }
}

extension VolumeState {
  /// The physical volumes that are used for something else than what is below DRBD, and DRBD's own.
  var devicesToKeep: [String] {
    let below = Set(unfiltered.values.flatMap { $0 }.map(\.description))
    let all = (pools?.pools.flatMap(\.devices) ?? []) + (pools?.unused ?? [])
    return all.map(\.device).filter { $0.hasPrefix("/") && !$0.hasPrefix("/dev/drbd") && !below.contains($0) }
  }
}

extension VolumePlanner {
  func filterSteps(_ change: VolumeChange) throws -> [Step] {
    if state.unfiltered.isEmpty { return [] }
    let disks = state.unfiltered.values.flatMap { $0 }.sorted()
    guard let filter else { return [] }
    let part = DeviceFilter.part(keeping: state.devicesToKeep, replacing: filter.usesDevicesFile)
    let old = filter.text ?? ""
    guard filter.inForce == "global_filter=[\"a|.*|\"]" || DeviceFilter.without(old) != old else {
      throw Failure(
        .exists, "\(DeviceFilter.path)",
        "is not written: LVM has a filter already, and it lets \(disks[0]) through",
        answer: filter.inForce, remedy: "reject \(disks.map(\.description).joined(separator: ", ")) in it")
    }
    let path = Text(DeviceFilter.path.string)
    let undo: Operation =
      filter.text.map { .replaceFile(path: path, contents: Text($0), mode: 0o644) } ?? .removeFile(path: path)
    return [
      step(
        .replaceFile(path: path, contents: Text(DeviceFilter.text(old, with: part)), mode: 0o644),
        undo: [undo], change)
    ]
  }
}
