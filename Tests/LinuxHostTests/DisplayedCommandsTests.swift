import Glibc
import HostInterface
import LinuxHost
import SystemPackage
import Testing

/// What a dry run prints does, typed into a shell, what the operation does.
@Suite struct DisplayedCommandsTests {
  let host = LocalHost()
  let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private static let variable = Variable("v")
  private static let nasty = "it's $HOME \"*\" [a] \\n & | ~ ;#\u{e4}/.^x"

  /// Runs the operation below one directory and its display below another, and compares what is there then.
  private func compare(_ files: [String: String], _ operation: (Text) -> HostInterface.Operation) async throws
  {
    var found: [[String: String]] = []
    for name in ["done", "typed"] {
      let directory = scratch.path.appending("a directory")
      try host.createDirectory(directory)
      defer { rename(directory.string, scratch.path.appending("\(UInt64.random(in: 0 ... .max))").string) }
      for (name, text) in files {
        try host.replace(directory.appending(name), with: Array(text.utf8), mode: 0o600)
      }
      let operation = operation("\(directory)")
      if name == "done" {
        _ = try await host.perform(operation, variables: [Self.variable: "value"])
      } else {
        let script = "v=value\n" + operation.display
        let result = try await host.run(
          ["sh", "-c", script], environment: [:], input: [], limit: .seconds(30))
        #expect(result.status == 0 && result.errors.isEmpty, "\(script): \(result.errors)")
      }
      found.append(
        try Dictionary(
          uniqueKeysWithValues: host.list(directory).map { name in
            let file = directory.appending(name)
            if let link = try? host.readLink(file) { return (name, "-> \(link.lastComponent?.string ?? "")") }
            return (name, (try? host.text(file)) ?? "directory")
          }))
    }
    #expect(found[0] == found[1])
    #expect(found[0] != files)
  }

  @Test func filesAndDirectories() async throws {
    let name = "a b'$x"
    try await compare([:]) { .createDirectory(path: "\($0)/\(name)") }
    try await compare([name: "x"]) { .removeFile(path: "\($0)/\(name)") }
    try await compare(["f": ""]) { .write(path: "\($0)/f", contents: "\(Self.nasty) \(Self.variable)_x\n") }
    try await compare([:]) { .createLink(path: "\($0)/\(Self.variable)1", destination: "\($0)/\(name)") }
    try await compare([:]) { .replaceFile(path: "\($0)/\(name)", contents: "\(Self.nasty)\n", mode: 0o600) }
  }

  @Test func lines() async throws {
    let text = "first\n\(Self.nasty)\nlast\n"
    try await compare(["f": text]) { .editLines(path: "\($0)/f", edit: .append("-n \\t %s")) }
    try await compare(["f": text]) { .editLines(path: "\($0)/f", edit: .prepend(Self.nasty + "2")) }
    try await compare(["f": text]) { .editLines(path: "\($0)/f", edit: .remove(Self.nasty)) }
    try await compare(["f": text]) {
      .editLines(path: "\($0)/f", edit: .replace(Self.nasty, with: "\\1&/" + Self.nasty))
    }
    try await compare(["f": text]) {
      .editLines(path: "\($0)/f", edit: .first("-n \\t %s", insteadOf: [Self.nasty, "last"]))
    }
    try await compare([:]) { .editLines(path: "\($0)/f", edit: .first("x", insteadOf: [])) }
    for files in [[:], ["f": ""], ["f": text]] {
      try await compare(files) {
        .editLines(path: "\($0)/f", edit: .first("x", insteadOf: ["last"], above: "a b"))
      }
    }
    try await compare(["f": "A.b/ c\n\ta.B/\naxb/\na.b/c\n"]) {
      .editLines(path: "\($0)/f", edit: .removeAll(about: "a.b/"))
    }
  }

  @Test func waitsAndBindings() async throws {
    let file = try scratch.file("proc file", "tid:70 name:t10\ntid:7 name:t1 x\n")
    let bind = HostInterface.Operation.bind(
      Self.variable, path: "\(file)", containing: "name:t1", key: "tid:")
    let typed = try await host.run(
      ["sh", "-c", bind.display + "; printf %s \"$v\""], environment: [:], input: [], limit: .seconds(30))
    #expect(
      try await host.perform(bind) == .bound(Self.variable, String(decoding: typed.output, as: UTF8.self)))
    let size = try scratch.file("size", "5\n")
    for condition in [
      Condition.exists(path: "\(file)"), .absent(path: "\(file)x"), .empty(directory: "\(file)x"),
      .grows(path: "\(size)", goal: 5, orBeyond: 9), .grows(path: "\(size)", goal: 6, orBeyond: 4),
    ] {
      let display = HostInterface.Operation.wait(for: condition, limit: .seconds(1)).display
      let typed = try await host.run(["sh", "-c", display], environment: [:], input: [], limit: .seconds(30))
      #expect(typed.status == 0)
    }
    let never: [(Condition, Int32)] = [
      (.absent(path: "\(file)"), 124), (.grows(path: "\(size)", goal: 6, orBeyond: 5), 1),
    ]
    for (condition, status) in never {
      let display = HostInterface.Operation.wait(for: condition, limit: .seconds(1)).display
      let typed = try await host.run(["sh", "-c", display], environment: [:], input: [], limit: .seconds(30))
      #expect(typed.status == status)
    }
  }
}
