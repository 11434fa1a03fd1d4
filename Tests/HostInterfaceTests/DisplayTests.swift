import HostInterface
import SystemPackage
import Testing

private let tid = Variable("tid")
private let secret = Secret("top secret 12".utf8)

@Suite struct DisplayTests {
  @Test(arguments: [
    ("", "''"), ("plain-_./:=,+@%9Z", "plain-_./:=,+@%9Z"), ("a b", "'a b'"), ("it's", "'it'\\''s'"),
    ("'", "''\\'''"),
    ("$x", "'$x'"), ("*", "'*'"), ("[::1]:3260", "'[::1]:3260'"), ("a\nb", "'a\nb'"), ("~", "'~'"),
    ("#", "'#'"),
    ("\u{e4}", "'\u{e4}'"), ("a;b", "'a;b'"), ("\\", "'\\'"),
  ])
  func wordsAreQuotedWhereTheyNeedIt(_ word: String, _ quoted: String) {
    #expect(shellQuoted(word) == quoted)
  }

  @Test(
    arguments: [
      ("", "''"), ("a b", "'a b'"), ("\(tid)", "$tid"), ("--tid=\(tid)", "--tid=$tid"),
      ("/a b/\(tid)/c", "'/a b/'$tid/c"),
      ("\(tid)0", "$tid''0"), ("\(tid)_x", "$tid''_x"), ("pw=\(secret)", "pw=****"),
      ("\(secret) \(tid)", "****' '$tid"),
      ("\(1)\(2)", "12"),
    ] as [(Text, String)])
  func textsAreWords(_ text: Text, _ word: String) { #expect(text.shellWord == word) }

  @Test(
    arguments: [
      (.write(path: "/sys/x", contents: "add \(tid)\n"), "echo 'add '$tid > /sys/x"),
      (.write(path: "/sys/x", contents: "-n\n"), "printf %s '-n\n' > /sys/x"),
      (.write(path: "/sys/x", contents: "1"), "printf %s 1 > /sys/x"),
      (.createDirectory(path: "/a b"), "mkdir '/a b'"), (.removeDirectory(path: "/a"), "rmdir /a"),
      (.createLink(path: "/l", destination: "../d"), "ln -s ../d /l"), (.removeFile(path: "/l"), "rm /l"),
      (.replaceFile(path: "/f", contents: "x", mode: 0o640), "printf %s x | install -m 640 /dev/stdin /f"),
      (.editLines(path: "/f", edit: .append("a b")), "printf '%s\\n' 'a b' >> /f"),
      (.editLines(path: "/f", edit: .prepend("a")), "sed -i '1i\\a' /f"),
      (.editLines(path: "/f", edit: .remove("a.b/[c]")), "sed -i '/^a\\.b\\/\\[c\\]$/d' /f"),
      (.editLines(path: "/f", edit: .replace("a*", with: "b&/")), "sed -i 's/^a\\*$/b\\&\\//' /f"),
      (
        .run(Command(["tool", "a b", "\(tid)"], environment: ["Z": "1", "A": "x y"])),
        "A='x y' Z=1 tool 'a b' $tid"
      ),
      (.run(Command(["tool"], input: "\(secret)")), "printf %s **** | tool"),
      (.loadModule(name: "nbd"), "modprobe nbd"),
      (
        .wait(for: .exists(path: "/dev/\(tid)"), limit: .milliseconds(1500)),
        "timeout 2 sh -c 'until test -e \"$0\"; do sleep 0.1; done' /dev/$tid"
      ),
      (
        .wait(for: .absent(path: "/dev/x"), limit: .milliseconds(5)),
        "timeout 1 sh -c 'while test -e \"$0\"; do sleep 0.1; done' /dev/x"
      ),
      (
        .wait(for: .empty(directory: "/d"), limit: .seconds(3)),
        "timeout 3 sh -c 'while test -n \"$(ls -A \"$0\")\"; do sleep 0.1; done' /d"
      ),
      (
        .wait(for: .grows(path: "/d/size", goal: 6, orBeyond: 5), limit: .seconds(3)),
        "timeout 3 sh -c 'until test \"$(cat \"$0\")\" -ge \"$1\"; do sleep 0.1; done' /d/size 6 "
          + "|| test \"$(cat /d/size)\" -gt 5"
      ),
      (
        .bind(tid, path: "/proc/v", containing: "name:t", key: "tid:"),
        "tid=$(grep -Fw -m1 name:t /proc/v | grep -o 'tid:[^[:space:]]*' | cut -b 5-)"
      ),
    ] as [(HostInterface.Operation, String)])
  func operationsAreShellCommands(_ operation: HostInterface.Operation, _ display: String) {
    #expect(operation.display == display)
  }

  @Test func secretsAreShownNowhere() {
    let request = SocketRequest(
      path: "/s", header: [], body: "password=\(secret)", lengthOffset: 0, limit: .seconds(1),
      equivalent: Command(["tool", "--password", "\(secret)"]))
    let operations: [HostInterface.Operation] = [
      .write(path: "/x", contents: "\(secret)"),
      .replaceFile(path: "/x", contents: "a\(secret)b", mode: 0o600),
      .run(Command(["tool", Text(secret)], input: Text(secret))), .exchange(request),
    ]
    for operation in operations {
      let step = Step(operation, undo: [operation], reason: "set it")
      for text in [operation.display, "\(operation)", "\(step)", String(reflecting: step), dumped(step)] {
        #expect(!text.contains("top secret"))
      }
      #expect(operation.display.contains("****"))
    }
    #expect(Text(secret).holdsSecret && !("x" as Text).holdsSecret)
  }

  private func dumped(_ value: Any) -> String {
    var text = ""
    dump(value, to: &text)
    return text
  }

  @Test(arguments: [
    ("a secret b", ["secret"], "a **** b"), ("aaa", ["a"], "************"),
    ("secrets", ["secret", "secrets"], "****"),
    ("x", [""], "x"), ("x", [], "x"), ("", ["x"], ""), ("sec", ["secret"], "sec"),
  ])
  func bytesAreMasked(_ text: String, _ secrets: [String], _ shown: String) {
    let secrets = secrets.map { Array($0.utf8) }
    #expect(masked(Array(text.utf8), hiding: secrets) == Array(shown.utf8))
    #expect(masked(Array(text.utf8), hiding: secrets, keepingLength: true).count == text.utf8.count)
  }
}
