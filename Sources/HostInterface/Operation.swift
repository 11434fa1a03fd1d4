/// One thing done to the host, as data: it can be printed, recorded, undone and refused before it happens.
public enum Operation: Sendable, Hashable {
  /// Writes the bytes with one write(2) to a file that exists, as /proc, sysfs and configfs need.
  case write(path: Text, contents: Text)
  /// Makes a directory; in configfs and sysfs that makes a kernel object.
  case createDirectory(path: Text)
  /// Removes an empty directory.
  case removeDirectory(path: Text)
  /// Makes a symbolic link at `path`.
  case createLink(path: Text, destination: Text)
  /// Removes a file or a symbolic link.
  case removeFile(path: Text)
  /// Replaces a file's contents by write, fsync and rename; it is there whole or not at all.
  case replaceFile(path: Text, contents: Text, mode: UInt16)
  /// Edits some lines of a file and replaces it atomically.
  case editLines(path: Text, edit: LineEdit)
  /// Runs a command.
  case run(Command)
  /// Sends one request to a daemon's Unix socket and reads its reply.
  case exchange(SocketRequest)
  /// Loads a kernel module and what it depends on.
  case loadModule(name: String)
  /// Waits until something is there or is gone.
  case wait(for: Condition, limit: Duration)
  /// Binds a variable from a line of a file: the first line that has `containing`, the word behind `key`.
  case bind(Variable, path: Text, containing: Text, key: String)
}

/// A change to lines of a text file.
public enum LineEdit: Sendable, Hashable {
  /// Puts the line at the end, unless it is there.
  case append(String)
  /// Puts the line before all others, unless it is there.
  case prepend(String)
  /// Removes every line equal to this one.
  case remove(String)
  /// Replaces every line equal to the first by the second.
  case replace(String, with: String)

  /// Applies the edit to a file's text; the result ends in a newline unless it is empty.
  public func applied(to text: String) -> String {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    if lines.last == "" { lines.removeLast() }
    switch self {
    case .append(let line): if !lines.contains(line) { lines.append(line) }
    case .prepend(let line): if !lines.contains(line) { lines.insert(line, at: 0) }
    case .remove(let line): lines.removeAll { $0 == line }
    case .replace(let old, let new): lines = lines.map { $0 == old ? new : $0 }
    }
    return lines.isEmpty ? "" : lines.joined(separator: "\n") + "\n"
  }
}

/// A command as an argument vector; it never passes through a shell.
public struct Command: Sendable, Hashable {
  /// The program, found in `PATH` unless it has a slash, and its arguments.
  public var argv: [Text]
  /// Variables added to the environment.
  public var environment: [String: String]
  /// What the command reads from standard input; nothing if nil.
  public var input: Text?
  /// How long it may run before it is killed.
  public var limit: Duration

  /// A command with its limit of time.
  public init(
    _ argv: [Text], environment: [String: String] = [:], input: Text? = nil, limit: Duration = .seconds(30)
  ) {
    self.argv = argv
    self.environment = environment
    self.input = input
    self.limit = limit
  }

  /// The command as an administrator would type it, secrets masked.
  public var display: String {
    let assignments = environment.sorted { $0.key < $1.key }.map { "\($0.key)=\(shellQuoted($0.value))" }
    return (assignments + argv.map { shellQuoted($0.display) }).joined(separator: " ")
  }
}

/// One request to a daemon that listens on a Unix socket, closes after its reply, and says the reply's length.
public struct SocketRequest: Sendable, Hashable {
  /// The socket's path.
  public var path: String
  /// Fixed bytes in front, such as a packed request header.
  public var header: [UInt8]
  /// The text behind the header.
  public var body: Text
  /// Where in the reply its own length stands, in bytes from its start; a native-endian 32-bit number.
  public var lengthOffset: Int
  /// How long to wait for the reply.
  public var limit: Duration
  /// The command that does the same, for a dry run and as a way around the socket.
  public var equivalent: Command

  /// A request, with the command that equals it.
  public init(
    path: String, header: [UInt8], body: Text, lengthOffset: Int, limit: Duration, equivalent: Command
  ) {
    self.path = path
    self.header = header
    self.body = body
    self.lengthOffset = lengthOffset
    self.limit = limit
    self.equivalent = equivalent
  }
}

/// What an operation can wait for.
public enum Condition: Sendable, Hashable {
  /// Something exists at the path.
  case exists(path: Text)
  /// Nothing exists at the path.
  case absent(path: Text)
  /// The directory has no entries, or does not exist.
  case empty(directory: Text)
}

/// Quotes a word for a POSIX shell where it needs it.
public func shellQuoted(_ word: String) -> String {
  let plain = word.utf8.allSatisfy { byte in
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: "-_./:=,+@%$*[]".utf8.contains(byte)
    }
  }
  if plain && !word.isEmpty { return word }
  return "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
}

extension Operation {
  /// The shell command that does the same, secrets masked and variables as `$name`.
  public var display: String {
    func quoted(_ text: Text) -> String { shellQuoted(text.display) }
    switch self {
    case .write(let path, let contents):
      let text = contents.display
      // echo ends its line as most kernel files are written; printf does not.
      return text.hasSuffix("\n")
        ? "echo \(shellQuoted(String(text.dropLast()))) > \(quoted(path))"
        : "printf %s \(shellQuoted(text)) > \(quoted(path))"
    case .createDirectory(let path): return "mkdir \(quoted(path))"
    case .removeDirectory(let path): return "rmdir \(quoted(path))"
    case .createLink(let path, let destination): return "ln -s \(quoted(destination)) \(quoted(path))"
    case .removeFile(let path): return "rm \(quoted(path))"
    case .replaceFile(let path, let contents, let mode):
      return "install -m \(String(mode, radix: 8)) <(printf %s \(quoted(contents))) \(quoted(path))"
    case .editLines(let path, let edit):
      switch edit {
      case .append(let line): return "echo \(shellQuoted(line)) >> \(quoted(path))"
      case .prepend(let line): return "sed -i \(shellQuoted("1i " + line)) \(quoted(path))"
      case .remove(let line): return "sed -i \(shellQuoted("\\|^" + line + "$|d")) \(quoted(path))"
      case .replace(let old, let new):
        return "sed -i \(shellQuoted("s|^\(old)$|\(new)|")) \(quoted(path))"
      }
    case .run(let command): return command.display
    case .exchange(let request): return request.equivalent.display
    case .loadModule(let name): return "modprobe \(name)"
    case .wait(let condition, let limit):
      let test: String
      switch condition {
      case .exists(let path): test = "until test -e \(path.display)"
      case .absent(let path): test = "while test -e \(path.display)"
      case .empty(let path): test = "while test -n \"$(ls -A \(path.display))\""
      }
      return "timeout \(limit.components.seconds) sh -c " + shellQuoted("\(test); do sleep 0.1; done")
    case .bind(let variable, let path, let containing, let key):
      return "\(variable.name)=$(grep -F -m1 \(quoted(containing)) \(quoted(path)) | grep -o '\(key)[^ ]*')"
    }
  }
}
