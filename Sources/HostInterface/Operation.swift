/// One thing done to the host, as data: it can be printed, recorded, undone and refused before it happens.
public enum Operation: Sendable, Hashable {
  /// Writes the bytes with one write(2) to a file that exists, as /proc, sysfs and configfs need.
  case write(path: Text, contents: Text)
  /// Gives the kernel one command by a file that may block, or tell the outcome elsewhere.
  case manage(ManagementWrite)
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
  /// Puts the line before all others, and removes every other line equal to it or to one of these; where there is no
  /// line yet, the last one goes behind it.
  case first(String, insteadOf: [String], above: String? = nil)
  /// Removes every line whose first word is this one, in whatever case of ASCII letters.
  case removeAll(about: String)

  /// Applies the edit to a file's text.
  ///
  /// A last line without a newline gets none unless it is edited or appended to: some programs pass over such a line,
  /// and to end it would be to put it in force.
  public func applied(to text: String) -> String {
    String(decoding: applied(to: Array(text.utf8)), as: UTF8.self)
  }

  /// The same for bytes, of which those that are no UTF-8 stay as they are in the lines that are not edited.
  ///
  /// See ``applied(to:)-(String)``.
  public func applied(to bytes: [UInt8]) -> [UInt8] {
    let newline = UInt8(ascii: "\n")
    var lines = bytes.split(separator: newline, omittingEmptySubsequences: false).map(Array.init)
    let open = lines.last == [] ? nil : lines.last
    if lines.last == [] { lines.removeLast() }
    switch self {
    case .append(let line): if !lines.contains(Array(line.utf8)) { lines.append(Array(line.utf8)) }
    case .prepend(let line): if !lines.contains(Array(line.utf8)) { lines.insert(Array(line.utf8), at: 0) }
    case .remove(let line): lines.removeAll { $0 == Array(line.utf8) }
    case .replace(let old, let new): lines = lines.map { $0 == Array(old.utf8) ? Array(new.utf8) : $0 }
    case .first(let line, let others, let last):
      if lines.isEmpty, let last { lines = [Array(last.utf8)] }
      let gone = ([line] + others).map { Array($0.utf8) }
      lines.removeAll(where: gone.contains)
      lines.insert(Array(line.utf8), at: 0)
    case .removeAll(let word): lines.removeAll { Self.isAbout(word, $0) }
    }
    var text = Array(lines.map { $0 + [newline] }.joined())
    if let open, open == lines.last, open != wanted.map({ Array($0.utf8) }) { text.removeLast() }
    return text
  }

  /// The line that is in force after the edit.
  private var wanted: String? {
    switch self {
    case .append(let line), .prepend(let line), .replace(_, let line), .first(let line, _, _): line
    case .remove, .removeAll: nil
    }
  }

  private static func isAbout(_ word: String, _ line: [UInt8]) -> Bool {
    func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }
    func lowered(_ bytes: some Sequence<UInt8>) -> [UInt8] {
      bytes.map { (0x41...0x5a).contains($0) ? $0 + 0x20 : $0 }
    }
    return lowered(line.drop(while: isBlank).prefix { !isBlank($0) }) == lowered(word.utf8)
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

/// One command for a kernel that is managed by files, such as SCST by its `mgmt` files in sysfs.
///
/// The kernel may answer EAGAIN and go on; then another file tells the outcome, and what is there proves it.
public struct ManagementWrite: Sendable, Hashable {
  /// The file.
  public var path: Text
  /// The command, of at most 4096 bytes: of a longer one sysfs would take that much and have it done.
  public var contents: Text
  /// The file that tells the outcome after EAGAIN, as a negative error number or 0; reading it gives EAGAIN while
  /// the kernel is at work.
  public var result: Text?
  /// What is so when the command was carried out; it decides where the answer leaves that open.
  public var proof: Condition?
  /// Where this is so, the command is not given: it has been, and would do harm once more.
  public var unless: Condition?
  /// How long to wait for the write, and once more for the outcome.
  public var limit: Duration

  /// A command.
  public init(
    path: Text, contents: Text, result: Text? = nil, proof: Condition? = nil, unless: Condition? = nil,
    limit: Duration
  ) {
    self.path = path
    self.contents = contents
    self.result = result
    self.proof = proof
    self.unless = unless
    self.limit = limit
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
  /// The first line of the file is this one.
  case reads(path: Text, line: Text)
  /// The number in the file is `goal` or more; when the limit is over, more than `orBeyond` is enough.
  case grows(path: Text, goal: UInt64, orBeyond: UInt64)
}
