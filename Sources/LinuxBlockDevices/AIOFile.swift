import BlockEngine
import CLibAIO
import Glibc
import HostInterface
import SystemPackage

/// A file or a block device, by libaio and, where the file system allows it, without the page cache (O_DIRECT).
///
/// It is held by flock(2) as long as it is open, so that it is not used twice, and a block device as well by O_EXCL, so
/// that one that is mounted or otherwise held is refused.
package final class AIOFile: BlockDevice {
  package let name: String
  package let size: Int
  package let logicalBlockSize: Int
  /// Whether the page cache is passed by.
  package let isDirect: Bool

  let loop: AIOLoop
  let file: FileDescriptor
  /// Whether it is a regular file, and not a block device.
  let isRegular: Bool

  /// Opens a file that exists.
  ///
  /// - Throws: ``Failure``: ``Failure/Code/inUse`` when it is open elsewhere, ``Failure/Code/invalid`` when it is
  ///   neither a file nor a block device, and what the system answers.
  package init(_ path: FilePath, on loop: AIOLoop) throws {
    self.loop = loop
    name = path.string
    var isDirect = true
    var opened = open(path.string, O_RDWR | O_CLOEXEC | __O_DIRECT | O_NONBLOCK)
    if opened < 0, errno == EINVAL {
      isDirect = false
      opened = open(path.string, O_RDWR | O_CLOEXEC | O_NONBLOCK)
    }
    guard opened >= 0 else { throw Self.failure(Errno(rawValue: errno), path.string, "cannot open") }
    file = FileDescriptor(rawValue: opened)
    self.isDirect = isDirect
    do {
      (size, logicalBlockSize, isRegular) = try Self.geometry(opened, path, isDirect: isDirect)
      guard flock(opened, LOCK_EX | LOCK_NB) == 0 else {
        let code = Errno(rawValue: errno)
        guard code == .wouldBlock else { throw Self.failure(code, path.string, "cannot lock") }
        throw Failure(
          .inUse, path.string, "it is in use by another process, or as another leg",
          remedy: "see by lslocks(8) which process that is")
      }
    } catch {
      try? file.close()
      throw error
    }
  }

  deinit { try? file.close() }

  private static func geometry(_ file: Int32, _ path: FilePath, isDirect: Bool) throws -> (
    size: Int, block: Int, isRegular: Bool
  ) {
    var status = stat()
    guard fstat(file, &status) == 0 else {
      throw Failure.system(Errno(rawValue: errno), path.string, "cannot look at")
    }
    let kind = status.st_mode & S_IFMT
    guard kind == S_IFREG || kind == S_IFBLK else {
      throw Failure(.invalid, path.string, "it is neither a file nor a block device")
    }
    if kind == S_IFBLK {
      // A second open with O_EXCL tells whether the kernel uses it (open(2)).
      let exclusive = open(path.string, O_RDONLY | O_EXCL | O_CLOEXEC)
      guard exclusive >= 0 else {
        throw Self.failure(Errno(rawValue: errno), path.string, "cannot use it alone")
      }
      close(exclusive)
    }
    let end = lseek(file, 0, SEEK_END)
    guard end >= 0 else { throw Failure.system(Errno(rawValue: errno), path.string, "cannot find its size") }
    var block = 512
    if isDirect, end > 0 {
      let probe = BlockBuffer(count: 512)
      if pread(file, probe.bytes.baseAddress, 512, 0) < 0, errno == EINVAL { block = 4096 }
    }
    return (Int(end) / block * block, block, kind == S_IFREG)
  }

  private static func failure(_ code: Errno, _ subject: String, _ problem: String) -> Failure {
    let remedy: String? =
      switch code {
      case .noSuchFileOrDirectory, .noSuchAddressOrDevice, .operationNotSupportedByDevice:
        "bring it back, or replace the leg"
      case .readOnlyFileSystem: "make its file system writable"
      case .resourceBusy: "release it first"
      case .noSpace: "make room there, and attach the leg again"
      case .ioError: "see what the kernel tells of the disk by dmesg(1)"
      default: nil
      }
    return Failure.system(code, subject, problem, remedy: remedy)
  }

  package func submit(_ request: BlockRequest, _ completion: @escaping (Failure?) -> Void) {
    if let refusal = refusal(of: request) { return completion(refusal) }
    switch request {
    case .read(let offset, let buffer): transfer(buffer, offset, isWrite: false, durable: false, completion)
    case .write(let offset, let buffer, let durable):
      transfer(buffer, offset, isWrite: true, durable: durable, completion)
    case .flush: flush(completion)
    case .discard, .writeZeroes: zero(request, completion)
    }
  }

  private func transfer(
    _ buffer: BlockBuffer, _ offset: Int, isWrite: Bool, durable: Bool,
    _ completion: @escaping (Failure?) -> Void
  ) {
    if buffer.count == 0 { return completion(nil) }
    // What is written at the end hides that something before it is gone.
    if isWrite, offset + buffer.count == size, let isCut { return completion(isCut) }
    var request = iocb()
    if isWrite {
      io_prep_pwrite(&request, file.rawValue, buffer.bytes.baseAddress, buffer.count, Int64(offset))
      if durable { request.aio_rw_flags = UInt32(QUARTET_RWF_DSYNC) }
    } else {
      io_prep_pread(&request, file.rawValue, buffer.bytes.baseAddress, buffer.count, Int64(offset))
    }
    loop.submit(request) { [self] done in
      // The buffer lives at least until here: this closure has it.
      if done == buffer.count { return completion(isWrite ? isCut : nil) }
      guard done > 0 else {
        if let isCut { return completion(isCut) }
        let code = done == 0 ? (isWrite ? Errno.noSpace : Errno.ioError) : Errno(rawValue: Int32(-done))
        let verb = isWrite ? "write" : "read"
        return completion(Self.failure(code, name, "cannot \(verb) \(buffer.count) bytes at \(offset)"))
      }
      transfer(buffer[done..<buffer.count], offset + done, isWrite: isWrite, durable: durable, completion)
    }
  }

  /// That somebody has cut the file off while it is in use; nil when nobody has.
  ///
  /// A write behind its end makes it longer again, with zeroes for what is gone.
  var isCut: Failure? {
    guard isRegular else { return nil }
    let end = Int(lseek(file.rawValue, 0, SEEK_END))
    guard end < size else { return nil }
    return Failure(
      .refused, name, "it had \(size) bytes, and somebody has cut it off at \(end)",
      remedy: "replace the leg, which has lost data")
  }

  func flush(_ completion: @escaping (Failure?) -> Void) {
    var request = iocb()
    io_prep_fdsync(&request, file.rawValue)
    loop.submit(request) { [name] done in
      completion(done < 0 ? Self.failure(Errno(rawValue: Int32(-done)), name, "cannot flush") : nil)
    }
  }
}
