import HostInterface
import SystemPackage

/// A call by which a program can change a host.
public enum HostCall: Sendable, Hashable {
  /// One write(2) to a file.
  case write(FilePath, [UInt8])
  /// A file's replacement.
  case replace(FilePath, [UInt8])
  /// A new directory.
  case createDirectory(FilePath)
  /// A directory's removal.
  case removeDirectory(FilePath)
  /// A new symbolic link.
  case createLink(FilePath)
  /// A file's or link's removal.
  case removeFile(FilePath)
  /// A command.
  case run([String])
  /// A request to a daemon.
  case exchange(FilePath, [UInt8])
  /// A module to load.
  case loadModule(String)

  /// What it is about, for an error.
  var subject: String {
    switch self {
    case .write(let path, _), .replace(let path, _), .createDirectory(let path), .removeDirectory(let path),
      .createLink(let path), .removeFile(let path), .exchange(let path, _):
      path.string
    case .run(let argv): argv.first ?? ""
    case .loadModule(let name): "kernel module \(name)"
    }
  }
}

/// How a ``FaultingHost`` lets a call fail.
public enum HostFault: Sendable, Hashable {
  /// The call does nothing and fails with this error number; all others work.
  case error(Errno)
  /// The program dies before the call: it does nothing, and this and every later call throws.
  case kill
  /// The program dies behind the call: it takes effect, and this and every later call throws.
  case killAfter
  /// A daemon or command does what it is asked, and what it answers is noise; any other call fails with EIO.
  case garbage
  /// A daemon, a command or a write with a limit does nothing until that is over; any other call fails with EIO.
  case hang
  /// A daemon, a command or a write with a limit does what it is asked and does not answer until that is over; any
  /// other call fails with EIO.
  case hangAfter
}
