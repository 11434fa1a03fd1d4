import HostInterface
import LinuxHost
import SystemPackage

/// What the kernel starts with: busybox, the modules that reach the host's root, and a script.
struct Initramfs {
  /// Loaded at every start, in this order with what they depend on.
  private static let always = ["virtio_mmio", "virtio_console", "9pnet_virtio", "9p", "overlay"]

  /// What a machine says that is switched on only to see whether it runs.
  static let probeAnswer = "quartet: this machine runs"

  /// The archive, for `-initrd`.
  let bytes: [UInt8]

  /// Puts it together from the host's busybox and the kernel's modules.
  init(_ kernel: GuestKernel, disks: Bool, network: Bool) throws {
    let host = LocalHost()
    guard let busybox = host.executable("busybox") else {
      throw Failure(.unavailable, "busybox", "is not installed", remedy: "install busybox-static")
    }
    var archive = CPIOArchive()
    for name in ["bin", "dev", "proc", "sys", "modules", "lower", "upper", "root"] {
      archive.addDirectory(name)
    }
    archive.addDevice("dev/console", major: 5, minor: 1)
    archive.addFile("bin/busybox", try host.read(busybox))
    archive.addLink("bin/sh", to: "busybox")
    let index = ModuleIndex(try host.text(kernel.modules.appending("modules.dep")))
    let wanted = Self.always + (disks ? ["virtio_blk"] : []) + (network ? ["virtio_net"] : [])
    var order = ""
    for module in index.order(for: wanted) {
      guard let name = module.lastComponent?.string else { continue }
      archive.addFile("modules/\(name)", try host.read(kernel.modules.pushing(module)))
      order += "\(name)\n"
    }
    archive.addFile("modules/order", Array(order.utf8))
    archive.addFile("init", Array(Self.firstScript.utf8))
    archive.addFile("start", Array(Self.secondScript.utf8))
    bytes = archive.bytes
  }

  /// Runs in the initramfs: makes the host's root the guest's, with all changes kept in memory.
  private static let firstScript = """
    #!/bin/sh
    export PATH=/bin
    busybox mount -t proc proc /proc
    if busybox grep -q quartet.probe= /proc/cmdline; then
      echo "\(probeAnswer)"
      busybox poweroff -f
    fi
    busybox mount -t sysfs sysfs /sys
    busybox mount -t devtmpfs devtmpfs /dev
    cd /modules
    while read -r module; do
      busybox insmod "$module" || echo "quartet: cannot load $module"
    done < order
    busybox mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=512000,cache=loose root /lower
    busybox mount -t tmpfs -o size=75% tmpfs /upper
    busybox mkdir /upper/changes /upper/work
    busybox mount -t overlay -o lowerdir=/lower,upperdir=/upper/changes,workdir=/upper/work overlay /root
    for place in proc sys dev; do busybox mount --move /$place /root/$place; done
    busybox mount -t tmpfs -o mode=755 tmpfs /root/run
    busybox mkdir /root/run/quartet
    busybox cp /bin/busybox /start /root/run/quartet/
    exec busybox switch_root /root /run/quartet/busybox sh /run/quartet/start

    """

  /// Runs in the host's root as process 1: sets the machine up and serves the host.
  private static let secondScript = """
    export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
    busybox() { /run/quartet/busybox "$@"; }
    # A word of the kernel's command line; a path in it has % and two digits for bytes that it cannot have.
    word() {
      for pair in $(busybox cat /proc/cmdline); do
        case $pair in "quartet.$1="*) printf "$(echo "${pair#*=}" | busybox sed 's/%/\\\\x/g')" ;; esac
      done
    }
    busybox mkdir -p /dev/pts /dev/shm /run/lock /lib/modules/$(busybox uname -r)
    busybox mount -t devpts -o mode=620,gid=5,ptmxmode=666 devpts /dev/pts
    busybox mount -t tmpfs -o mode=1777 tmpfs /dev/shm
    busybox mount -o bind "$(word modules)" /lib/modules/$(busybox uname -r)
    busybox hostname "$(word name)"
    busybox ip link set lo up
    if [ -n "$(word address)" ]; then
      busybox ip address add "$(word address)" dev eth0
      busybox ip link set eth0 up
    fi
    if [ -n "$(word shell)" ]; then
      cd "$(word shell)"
      export TERM=vt220 QUARTET_IN_VM=1
      shell=/bin/bash
      [ -x $shell ] || shell=/bin/sh
      busybox setsid /run/quartet/busybox cttyhack $shell -i
    else
      for port in /sys/class/virtio-ports/*; do
        [ "$(busybox cat $port/name)" = quartet.agent ] && "$(word agent)" /dev/${port##*/}
      done
    fi
    busybox poweroff -f

    """
}
