import HostInterface
import LinuxHost
import SystemPackage

/// What runs a guest's instructions.
enum Accelerator: String {
  case kvm, tcg

  /// The value of QEMU's `-accel`.
  var argument: String { self == .kvm ? "kvm" : "tcg,thread=multi" }

  /// The machine's own virtualisation where it works, else emulation.
  ///
  /// There are hosts whose /dev/kvm opens and never runs a guest, so one boot up to the init script is tried, for
  /// at most 5 s. What came of it is kept in the kernel's directory until the host boots again.
  static func best(_ kernel: GuestKernel) async -> Accelerator {
    let host = LocalHost()
    guard let boot = try? host.text("/proc/sys/kernel/random/boot_id").trimmed else { return .tcg }
    let note = kernel.directory.appending("accelerator")
    if let words = try? host.text(note).split(separator: " "), words.count == 2, words[0] == boot,
      let known = Accelerator(rawValue: String(words[1]))
    {
      return known
    }
    let best: Accelerator = await kvmRuns(kernel) ? .kvm : .tcg
    // Without the note the next one tries again, which costs time only.
    try? host.replace(note, with: Array("\(boot) \(best.rawValue)".utf8), mode: 0o644)
    return best
  }

  private static func kvmRuns(_ kernel: GuestKernel) async -> Bool {
    guard (try? FileDescriptor.open("/dev/kvm", .readWrite).close()) != nil else { return false }
    guard let trial = try? Machine(GuestConfiguration(), kernel, .kvm, ["probe": "1"]) else { return false }
    defer { trial.cutPower() }
    return await trial.ended.value(limit: .seconds(5)) != nil
      && trial.log.text.contains(Initramfs.probeAnswer)
  }
}
