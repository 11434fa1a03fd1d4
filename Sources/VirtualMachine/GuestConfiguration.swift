import HostInterface
import SystemPackage

/// What a guest has.
public struct GuestConfiguration: Sendable {
  /// Its host name.
  public var name = "guest"
  /// The number of processors.
  public var processors = 1
  /// Memory in MiB; what the guest changes in its files is kept in it as well.
  public var memory = 768
  /// Disks beside the root, as `/dev/vda`, `/dev/vdb` and so on.
  public var disks: [ScratchDisk] = []
  /// The place on a network that `eth0` is connected to.
  public var network: VirtualNetwork.Port?
  /// How long it may take to serve its first command.
  public var startLimit = Duration.seconds(90)
  /// How long it may serve commands; then its power is cut.
  public var lifeLimit = Duration.seconds(900)

  /// A guest with one processor, 768 MiB, and neither disks nor network.
  public init() {}

  /// What QEMU is to be told, for descriptors from ``Emulator/Number/firstPassed`` on: the initramfs, the disks,
  /// the network.
  func arguments(_ kernel: GuestKernel, _ accelerator: Accelerator, _ words: [String: String]) -> [String] {
    var arguments = [
      "-machine", "microvm,rtc=on,ioapic2=on", "-accel", accelerator.argument, "-cpu", "max",
      "-smp", "\(processors)", "-m", "\(memory)", "-nodefaults", "-no-user-config", "-display", "none",
      "-no-reboot", "-kernel", kernel.image.string, "-initrd", "/proc/self/fd/\(Emulator.Number.firstPassed)",
      "-append", kernelLine(kernel, accelerator, words),
      "-fsdev", "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap",
      "-device", "virtio-9p-device,fsdev=root,mount_tag=root",
    ]
    // cache=unsafe: what QEMU wrote is safe from its end, and the host's own end is not tested.
    var number = Emulator.Number.firstPassed + 1
    for (index, disk) in disks.enumerated() {
      let file = "file=/proc/self/fd/\(number),file.locking=off,format=\(disk.format)"
      arguments += [
        "-drive", "id=disk\(index),\(file),if=none,discard=unmap,cache=unsafe",
        "-device", "virtio-blk-device,drive=disk\(index),serial=\(disk.serial)",
      ]
      number += 1
    }
    if let network {
      arguments += [
        "-netdev", "dgram,id=net,local.type=fd,local.str=\(number)",
        "-device", "virtio-net-device,netdev=net,mac=\(network.hardwareAddress)",
      ]
    }
    return arguments
  }

  /// The descriptors that go with ``arguments(_:_:_:)``, without the initramfs.
  var files: [FileDescriptor] { disks.map(\.file) + (network.map { [$0.theirs] } ?? []) }

  /// The initramfs in a file without a name, to be closed by the caller.
  func initramfs(_ kernel: GuestKernel) throws -> FileDescriptor {
    let initramfs = try Initramfs(kernel, disks: !disks.isEmpty, network: network != nil)
    let file = try unnamedFile()
    try file.writeAll(initramfs.bytes)
    return file
  }

  private func kernelLine(
    _ kernel: GuestKernel, _ accelerator: Accelerator, _ words: [String: String]
  ) -> String {
    var words = words
    words["name"] = name
    words["modules"] = kernel.modules.string
    words["address"] = network.map { "\($0.address)/24" }
    // A panic ends the machine; what follows saves emulated work and does not concern the drivers.
    var line = "console=ttyS0 loglevel=7 panic=-1 mitigations=off nokaslr no_timer_check tsc=reliable"
    if accelerator == .tcg { line += " tsc_early_khz=\(TimeStampCounter.kilohertz)" }
    return words.sorted { $0.key < $1.key }.reduce(line) {
      "\($0) quartet.\($1.key)=\(percentEncoded($1.value))"
    }
  }

  private func percentEncoded(_ text: String) -> String {
    text.utf8.reduce(into: "") { word, byte in
      let character = Character(UnicodeScalar(byte))
      if character.isWordCharacter || "/.:-".contains(character) {
        word.append(character)
      } else {
        word += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
      }
    }
  }
}
