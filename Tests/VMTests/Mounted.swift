/// A file system on a disk of the initiator, mounted in the guest.
struct Mounted {
  let disk: String

  init(_ disk: String) async throws {
    self.disk = disk
    try await shell("mount $1 /run/mounted", disk)
  }

  /// Writes a file of noise to the disk, and tells its sum.
  func write(_ name: String, mebibytes: Int) async throws -> String {
    try await shell(
      """
      dd if=/dev/urandom of=/run/noise bs=1M count=\(mebibytes) status=none
      dd if=/run/noise of=/run/mounted/\(name) bs=1M conv=fsync status=none
      sha256sum < /run/noise
      """)
  }

  /// The sum of a file; read from the disk when another session wrote it.
  func sum(of name: String) async throws -> String {
    try await shell("sha256sum < /run/mounted/\(name)")
  }

  func end() async throws { try await shell("umount /run/mounted") }
}
