/// The initiators of libiscsi and QEMU.
enum RealInitiator {
  /// The text of a shell that reads from a logical unit, and logs in again whenever its session is closed.
  static func busy(_ url: String, as name: String) -> String {
    "iscsi-perf -i \(name) -x -1 -n -m 1 '\(url)' >/dev/null 2>&1 </dev/null & read line; kill -9 $!; wait"
  }
}
