/// Quotes a word for a POSIX shell where it needs it.
public func shellQuoted(_ word: String) -> String {
  let plain = word.utf8.allSatisfy { byte in
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: "-_./:=,+@%".utf8.contains(byte)
    }
  }
  if plain && !word.isEmpty { return word }
  return "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
}

extension Text {
  /// The text as one word of a POSIX shell: literals quoted where they need it, variables as `$name`, secrets as
  /// `****`.
  public var shellWord: String {
    var word = ""
    var literal = ""
    var afterVariable = false
    func quoted() -> String {
      guard !literal.isEmpty else { return "" }
      let quoted = shellQuoted(literal)
      // `$tid` in front of a letter, digit or underscore would be another variable.
      guard afterVariable, let first = quoted.first, first == "_" || first.isLetter || first.isNumber else {
        return quoted
      }
      return "''" + quoted
    }
    for piece in pieces {
      switch piece {
      case .literal(let text): literal += text
      case .secret(let secret):
        word += quoted() + secret.description
        (literal, afterVariable) = ("", false)
      case .variable(let variable):
        word += quoted() + "$" + variable.name
        (literal, afterVariable) = ("", true)
      }
    }
    word += quoted()
    return word.isEmpty ? "''" : word
  }
}

extension Text {
  /// The text without the newline that it ends in; nil when it ends in none, or begins like an option of echo.
  fileprivate var withoutNewline: Text? {
    guard case .literal(let last)? = pieces.last, last.hasSuffix("\n"), !last.hasSuffix("\n\n"),
      !display.hasPrefix("-"), !display.contains("\\")
    else { return nil }
    var line = self
    line.pieces[pieces.count - 1] = .literal(String(last.dropLast()))
    return line
  }
}

extension Operation {
  /// The shell command that does the same, secrets masked and variables as `$name`.
  public var display: String {
    switch self {
    case .manage(let write): return Operation.write(path: write.path, contents: write.contents).display
    case .write(let path, let contents):
      // echo ends its line, as most files of a kernel are written; printf does not.
      guard let line = contents.withoutNewline else {
        return "printf %s \(contents.shellWord) > \(path.shellWord)"
      }
      return "echo \(line.shellWord) > \(path.shellWord)"
    case .createDirectory(let path): return "mkdir \(path.shellWord)"
    case .removeDirectory(let path): return "rmdir \(path.shellWord)"
    case .createLink(let path, let destination): return "ln -s \(destination.shellWord) \(path.shellWord)"
    case .removeFile(let path): return "rm \(path.shellWord)"
    case .replaceFile(let path, let contents, let mode):
      let octal = String(mode, radix: 8)
      return "printf %s \(contents.shellWord) | install -m \(octal) /dev/stdin \(path.shellWord)"
    case .editLines(let path, let edit): return edit.display(path)
    case .run(let command): return command.display
    case .exchange(let request): return request.equivalent.display
    case .loadModule(let name): return "modprobe \(shellQuoted(name))"
    case .wait(let condition, let limit):
      let (test, arguments) = condition.shellTest
      // timeout(1) takes 0 for no limit at all.
      let seconds = max(1, limit.components.seconds + (limit.components.attoseconds > 0 ? 1 : 0))
      let words = arguments.map(\.shellWord).joined(separator: " ")
      let loop = "timeout \(seconds) sh -c '\(test); do sleep 0.1; done' \(words)"
      guard case .grows(let path, _, let least) = condition else { return loop }
      return "\(loop) || test \"$(cat \(path.shellWord))\" -gt \(least)"
    case .bind(let variable, let path, let containing, let key):
      let value = "grep -o \(shellQuoted(key + "[^[:space:]]*")) | cut -b \(key.utf8.count + 1)-"
      return "\(variable.name)=$(grep -Fw -m1 \(containing.shellWord) \(path.shellWord) | \(value))"
    }
  }
}

extension Command {
  /// The command as an administrator would type it, secrets masked.
  public var display: String {
    let assignments = environment.sorted { $0.key < $1.key }.map { "\($0.key)=\(shellQuoted($0.value))" }
    let words = (assignments + argv.map(\.shellWord)).joined(separator: " ")
    return input.map { "printf %s \($0.shellWord) | \(words)" } ?? words
  }
}

extension LineEdit {
  fileprivate func display(_ path: Text) -> String {
    switch self {
    case .append(let line): "printf '%s\\n' \(shellQuoted(line)) >> \(path.shellWord)"
    case .prepend(let line): "sed -i \(shellQuoted("1i\\" + line.escaped("\\"))) \(path.shellWord)"
    case .remove(let line): "sed -i \(shellQuoted("/^\(line.escaped(Self.special))$/d")) \(path.shellWord)"
    case .replace(let old, let new):
      "sed -i \(shellQuoted("s/^\(old.escaped(Self.special))$/\(new.escaped("\\/&"))/")) \(path.shellWord)"
    case .removeAll(let word):
      "sed -i \(shellQuoted("/^[[:space:]]*\(word.escaped(Self.special))\\([[:space:]]\\|$\\)/Id")) \(path.shellWord)"
    case .first(let line, let others, let last):
      Self.display(path, first: line, insteadOf: others, above: last)
    }
  }

  /// By a new file, since sed puts nothing in front of no lines.
  private static func display(
    _ path: Text, first line: String, insteadOf others: [String], above last: String?
  )
    -> String
  {
    let gone = ([line] + others).map { "-e " + shellQuoted($0) }.joined(separator: " ")
    let (file, new) = (path.shellWord, (path + ".new").shellWord)
    var rest = "grep -svxF \(gone) \(file)"
    if let last { rest = "if test -s \(file); then \(rest); else printf '%s\\n' \(shellQuoted(last)); fi" }
    return "{ printf '%s\\n' \(shellQuoted(line)); \(rest); } > \(new); mv \(new) \(file)"
  }

  /// What means something in a basic regular expression between slashes.
  private static let special = "\\/.*[]^$"
}

extension Condition {
  /// The loop's head for `sh -c`, to which the path is given as `$0` and what else there is as `$1`.
  fileprivate var shellTest: (String, [Text]) {
    switch self {
    case .exists(let path): ("until test -e \"$0\"", [path])
    case .absent(let path): ("while test -e \"$0\"", [path])
    case .empty(let path): ("while test -n \"$(ls -A \"$0\")\"", [path])
    case .reads(let path, let line): ("until test \"$(head -n1 \"$0\")\" = \"$1\"", [path, line])
    case .grows(let path, let goal, _):
      ("until test \"$(cat \"$0\")\" -ge \"$1\"", [path, "\(goal)"])
    }
  }
}

extension String {
  fileprivate func escaped(_ special: String) -> String {
    String(flatMap { special.contains($0) ? ["\\", $0] : [$0] })
  }
}
