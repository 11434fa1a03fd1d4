import Glibc
import HostInterface
import LinuxHost
import SystemPackage

/// The distribution's own kernel, unpacked where nothing of the host's boot is touched.
///
/// It comes from the package that `linux-image-amd64` depends on, without installing it: no initramfs is built
/// and no boot loader is run on the host. `CACHE/kernel` then has `vmlinux`, and `lib/modules/RELEASE` with the
/// indexes of depmod(8).
public struct GuestKernel: Sendable {
  /// What `uname -r` says in the guest.
  public let release: String
  /// The directory that the rest is in.
  let directory: FilePath
  /// What to boot: the uncompressed kernel where it could be unpacked, else the package's own.
  let image: FilePath

  /// The release's modules and their indexes.
  var modules: FilePath { directory.appending("lib/modules").appending(release) }

  /// `.vm-cache` of the repository that this library was built from.
  public static let defaultCache = FilePath(#filePath).removingLastComponent().removingLastComponent()
    .removingLastComponent().appending(".vm-cache")

  /// The kernel in the cache; it is put there first when there is none, which takes up to a minute.
  ///
  /// - Parameter cache: The directory that it is kept in; remove it to get the distribution's newest kernel.
  /// - Throws: ``Failure/Code/unavailable`` when the package cannot be had or a program is missing.
  public static func prepare(in cache: FilePath = defaultCache) async throws -> GuestKernel {
    let host = LocalHost(lockDirectory: cache)
    try? host.createDirectory(cache)
    let lock = try await host.lock("vm-kernel", limit: .seconds(300))
    defer { lock.release() }
    let directory = cache.appending("kernel")
    if try host.status(directory) == nil {
      let partial = cache.appending("kernel.partial")
      try await run(host, ["rm", "-rf", partial.string])
      try host.createDirectory(partial)
      try await unpackPackage(into: partial, host)
      try await prepareModules(in: partial, host)
      try await run(host, ["mv", partial.string, directory.string])
    }
    return try GuestKernel(in: directory, host)
  }

  private init(in directory: FilePath, _ host: LocalHost) throws {
    let modules = directory.appending("lib/modules")
    guard let release = try host.list(modules).first else {
      throw Failure(.garbled, "\(modules)", "has no kernel's modules", remedy: "remove \(directory)")
    }
    self.release = release
    self.directory = directory
    let unpacked = directory.appending("vmlinux")
    image = try host.status(unpacked) == nil ? directory.appending("boot/vmlinuz-\(release)") : unpacked
  }

  private static func unpackPackage(into directory: FilePath, _ host: LocalHost) async throws {
    guard host.executable("apt-get") != nil else {
      throw Failure(
        .unavailable, "kernel of the virtual machine", "this is no Debian: there is no apt-get",
        remedy: "leave the tests in the virtual machine out with QUARTET_VM=0")
    }
    // The meta package's one dependency is the image itself; apt-get(8) download installs nothing. Its lists may
    // be missing, or name a version that is gone.
    let script = """
      cd "$1"
      download() {
        image=$(apt-cache show --no-all-versions linux-image-amd64 | sed -n 's/^Depends: *\\([^ ,]*\\).*/\\1/p')
        test -n "$image" && apt-get -q -o APT::Sandbox::User=root download "$image"
      }
      download >&2 || { apt-get -q update; download; } >&2
      dpkg-deb -x linux-image-*.deb .
      rm -r linux-image-*.deb usr
      """
    try await run(host, ["sh", "-e", "-c", script, "sh", directory.string])
  }

  private static func prepareModules(in directory: FilePath, _ host: LocalHost) async throws {
    let kernel = try GuestKernel(in: directory, host)
    try await run(host, ["depmod", "-b", directory.string, kernel.release])
    // Decompressing here once saves each boot a second or two of emulated decompression.
    guard host.executable("xz") != nil, let payload = try BootImage(host.read(kernel.image)).xzPayload else {
      return
    }
    let packed = directory.appending("vmlinux.xz")
    try host.replace(packed, with: payload, mode: 0o600)
    try await run(host, ["xz", "-d", packed.string])
  }

  private static func run(_ host: LocalHost, _ argv: [String]) async throws {
    let result = try await host.run(argv, environment: ["LC_ALL": "C"], input: [], limit: .seconds(240))
    guard result.status == 0 else {
      throw Failure(
        .unavailable, "kernel of the virtual machine", "\(argv[0]) ended with status \(result.status)",
        answer: result.errors.trimmed,
        remedy: "run apt-get update, and install qemu-system-x86, busybox-static, kmod and xz-utils")
    }
  }
}
