import Glibc
import HostInterface
import SystemPackage

extension TranscriptEntry {
  /// Whether the entry is about this path.
  func isAbout(_ path: String) -> Bool {
    guard let own = self.path else { return false }
    // Nearly every entry is about another path; a FilePath takes its time to be made.
    let isPlain = own.utf8.last != UInt8(ascii: "/") && !own.contains("//")
    return own == path || !isPlain && FilePath(own) == FilePath(path)
  }

  /// Whether a recorded action is the one that this entry asks for; what was not recorded is not compared.
  func isSameRequest(as recorded: TranscriptEntry) -> Bool {
    func same<Value: Equatable>(_ asked: Value?, _ recorded: Value?) -> Bool {
      recorded == nil || asked == recorded
    }
    // Recordings of other makers do not tell how a whole file was written.
    guard op == recorded.op || op == "replace" && recorded.op == "write" else { return false }
    return path.map { FilePath($0) } == recorded.path.map { FilePath($0) } && argv == recorded.argv
      && data.map(decoded) == recorded.data.map(recorded.decoded)
      && stdin.map(decoded) == recorded.stdin.map(recorded.decoded)
      && same(environment, recorded.environment)
      && same(request, recorded.request) && same(target, recorded.target) && same(mode, recorded.mode)
  }

  /// The request on one line.
  var summary: String {
    var words = [op]
    if let path { words.append(shellQuoted(path)) }
    words += (argv ?? []).map(shellQuoted)
    if let environment, !environment.isEmpty {
      words += environment.sorted { $0.key < $1.key }.map { "\($0.key)=\(shellQuoted($0.value))" }
    }
    for part in [target, mode, request] { if let part { words.append(part) } }
    for part in [data, stdin] { if let part, !part.isEmpty { words.append(shellQuoted(part)) } }
    return words.joined(separator: " ")
  }

  /// What is at the path after this entry; nil where nothing is.
  var impliedStatus: Status? {
    func status(_ kind: FileStatus.Kind, _ size: Int = 0) -> Status {
      Status(kind: kind.rawValue, size: UInt64(size), identity: "transcript:\(path ?? "")")
    }
    switch op {
    case "status": return self.status
    case "unlink", "rmdir": return errno == nil ? nil : status(op == "rmdir" ? .directory : .file)
    case "mkdir": return status(.directory)
    case "list": return errno == "ENOENT" ? nil : status(.directory)
    case "symlink", "readlink": return errno == "ENOENT" ? nil : status(.other)
    default:
      let text = if case .text(let text)? = result { text } else { data }
      return errno == "ENOENT" ? nil : status(.file, text.flatMap(decoded)?.count ?? 0)
    }
  }
}

/// The number of a signal by its name (signal(7)).
func signalNumber(_ name: String) -> Int32? {
  let numbers = [
    "SIGHUP": SIGHUP, "SIGINT": SIGINT, "SIGQUIT": SIGQUIT, "SIGILL": SIGILL, "SIGABRT": SIGABRT,
    "SIGBUS": SIGBUS,
    "SIGFPE": SIGFPE, "SIGKILL": SIGKILL, "SIGUSR1": SIGUSR1, "SIGSEGV": SIGSEGV, "SIGUSR2": SIGUSR2,
    "SIGPIPE": SIGPIPE, "SIGALRM": SIGALRM, "SIGTERM": SIGTERM,
  ]
  return numbers[name]
}
