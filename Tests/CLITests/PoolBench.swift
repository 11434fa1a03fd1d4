import Glibc
import HostInterface
import LinuxHost
import SystemPackage
import Testing

/// Small embedded pools on a workbench, and what a test does to their legs behind Quartet's back.
extension Workbench {
  /// Whether pools can be served and attached here; tests that need it say so when they are skipped.
  static let canServe: Bool = {
    let host = LocalHost()
    let plugin = FilePath(executable).removingLastComponent().appending("libnbdkit-quartet-plugin.so")
    return geteuid() == 0 && host.executable("nbdkit") != nil && host.executable("nbdfuse") != nil
      && access("/dev/fuse", R_OK | W_OK) == 0 && access(plugin.string, R_OK) == 0
  }()

  var legs: [String] { [folder + "/leg-a", folder + "/leg-b"] }
  func volume(_ path: String) -> String { folder + "/run/volumes/" + path }

  /// A pool `vg1` on two files of 8 MiB, with extents of 64 KiB.
  func makePool(size: String = "8M") async throws {
    let made = try await quartet(
      "pool", "create", "vg1", "--leg", legs[0], "--leg", legs[1], "--size", size, "--extent-size", "64K")
    try #require(made.status == 0, "\(made.errors)")
  }

  func contents(_ path: String) throws -> [UInt8] { try LocalHost().read(FilePath(path)) }

  /// Overwrites a part of a file in place.
  func overwrite(_ path: String, at offset: Int, _ bytes: [UInt8]) throws {
    let file = try FileDescriptor.open(FilePath(path), .writeOnly)
    defer { try? file.close() }
    try file.writeAll(toAbsoluteOffset: Int64(offset), bytes)
  }

  func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  /// Ends what serves pools of this bench, and takes away what is mounted in it.
  func endPools() async {
    let script = """
      for file in $(grep -lzFs "QUARTET_RUNTIME_DIR=\(folder)/run" /proc/[0-9]*/environ); do
        pid=${file#/proc/}
        kill -9 "${pid%/environ}"
      done
      while read -r _ mount _; do
        case $mount in "\(folder)"/*) umount -l "$mount" ;; esac
      done </proc/self/mounts
      """
    _ = try? await LocalHost().run(["sh", "-c", script], environment: [:], input: [], limit: .seconds(10))
  }
}

/// Runs a test on a workbench with pools, and cleans up whatever happens.
func withPools(daemon: Bool = false, _ body: (Workbench) async throws -> Void) async throws {
  try await withWorkbench(daemon: daemon) { bench in
    do { try await body(bench) } catch {
      await bench.endPools()
      throw error
    }
    await bench.endPools()
  }
}
