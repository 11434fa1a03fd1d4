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
  /// The first line of a file that Quartet wrote.
  static let mark = "# written by quartet: it keeps LVM off the disks below DRBD"

  /// The file's text: DRBD's devices, the physical volumes that are in use now, and nothing else.
  static func text(keeping devices: [String]) -> String {
    let accepted = (["^/dev/drbd"] + devices.sorted().map { "^\(escaped($0))$" }).map { "\"a|\($0)|\"" }
    return """
      \(mark)
      devices {
      \tglobal_filter = [ \(accepted.joined(separator: ", ")), "r|.*|" ]
      }

      """
  }

  private static func escaped(_ path: String) -> String {
    String(path.flatMap { ".+*?()[]|^$\\".contains($0) ? ["\\", $0] : [$0] })
  }
}
