import HostInterface
import StateFile
import TargetCore
import Testing

/// A document and the one complaint that it must raise: its place, and a part of its text.
struct BadDocument: CustomTestStringConvertible, Sendable {
  var text: String
  var place: String
  var part: String
  var testDescription: String { "\(part) (\(text.prefix(40)))" }

  init(_ text: String, _ place: String, _ part: String) {
    self.text = text
    self.place = place
    self.part = part
  }

  /// A document of which only the lines of one target are given; they begin in line 4, column 5.
  static func target(_ lines: String, _ place: String, _ part: String) -> BadDocument {
    let head = "quartet: 1\ntargets:\n  - name: iqn.2011-12.com.example:a\n"
    return BadDocument(head + lines.split(separator: "\n").map { "    \($0)\n" }.joined(), place, part)
  }

  /// The same with the rest of one logical unit, in line 4, column 14.
  static func unit(_ rest: String, _ place: String, _ part: String) -> BadDocument {
    target("luns: [ {\(rest)} ]", place, part)
  }
}

@Suite struct ComplaintTests {
  @Test(arguments: [
    BadDocument("", "state.yaml: ", "is empty"),
    BadDocument("# nothing\n", "state.yaml: ", "is empty"),
    BadDocument("targets: []", "1:1", "has no quartet"),
    BadDocument("quartet: 2\nnews: 1", "2:1", "news"),
    BadDocument("quartet: 2", "1:10", "is 2, the version"),
    BadDocument("quartet: '1'", "1:10", "must be a number"),
    BadDocument("quartet: yes", "1:10", "is a boolean"),
    BadDocument("[1]", "1:1", "is a list, it must be a mapping"),
    BadDocument("quartet", "1:1", "is text, it must be a mapping"),
    BadDocument("~", "1:1", "is nothing"),
    BadDocument("quartet: 1\ntagets: []", "2:1", "did you mean targets?"),
    BadDocument(
      "quartet: 1\nexports: []", "2:1", "the keys are quartet, resources, pools, targets, discovery"),
    BadDocument("quartet: 1\n'': 1", "2:1", "not known"),
    BadDocument("quartet: 1\ntargets:\n", "2:9", "is nothing, it must be a list; write []"),
    BadDocument("quartet: 1\ntargets: {a: 1}", "2:10", "is a mapping, it must be a list"),
    BadDocument("quartet: 1\ntargets: [{}]", "2:11", "has no name"),
    BadDocument("quartet: 1\ntargets: [{name: disk1}]", "2:18", "must begin with iqn."),
    BadDocument("quartet: 1\ntargets: [{name: [a]}]", "2:18", "is a list, it must be text"),
    BadDocument("quartet: 1\nquartet: 1", "2:1", "has the key quartet twice, the other one is in line 1"),
    BadDocument("quartet: 1\n---\nquartet: 1", "2:1", "second document"),
    BadDocument("quartet: 1\n\ttargets: []", "2:1", "indent with blanks"),
    BadDocument("quartet: 1\ntargets:\n\t- name: a", "3:1", "indent with blanks"),
    BadDocument("quartet: 1 # \u{0}", "1:14", "control characters are not allowed (0x0)"),
    BadDocument(
      "quartet: 1\ntargets: [", "3:1", "is no YAML: while parsing a flow node from line 3: did not find"),
    BadDocument("quartet: 1\n{a: 1}: 2", "2:1", "a mapping as a key"),
    BadDocument("quartet: !!python/object:os.system 1", "1:10", "has a tag that means nothing here"),
    BadDocument("quartet: 1\ntargets: *nowhere", "2:10", "alias whose anchor is not before it"),
    BadDocument("quartet: 1\ntargets: &me [*me]", "2:15", "alias whose anchor is not before it"),
    BadDocument("quartet: 1\n<<: {targets: []}", "2:1", "not known"),
    BadDocument("%YAML 3.0\n---\nquartet: 1", "1:1", "incompatible YAML document"),
    .target("portal: []", "4:5", "did you mean portals?"),
    .target("Portals: []", "4:5", "did you mean portals?"),
    .target("implementation: [lio]", "4:21", "must be text"),
    .target("implementation: two words", "4:21", "must be one word"),
    .target("id: 4294967296", "4:9", "out of range (4294967296), 0 to 4294967295 are allowed"),
    .target("id: 010", "4:9", "plain decimal digits"),
    .target("id: -1", "4:9", "out of range (-1)"),
    .target("id: 1.0", "4:9", "is a number, it must be a number in plain decimal digits"),
    .target("id: 99999999999999999999", "4:9", "plain decimal digits"),
    .target("enabled: 'true'", "4:14", "is text, it must be true or false; write it without quotes"),
    .target("enabled: 1", "4:14", "is a number, it must be true or false"),
    .target("enabled:", "4:13", "is nothing, it must be true or false"),
    .target("portals: 10.0.0.1", "4:14", "is text, it must be a list"),
    .target("portals: [10.0.0.256]", "4:15", "has no valid IP address"),
    .target("portals: [10.0.0.1, [10.0.0.2]]", "4:25", "is a list, it must be text"),
    .target("initiators: everyone", "4:17", "write a list, or `all`"),
    .target("initiators: [10.0.0.0/33]", "4:18", "has no valid prefix"),
    .target("initiators:", "4:16", "is nothing"),
    .target("parameters: {InitialR2T: maybe}", "4:30", "Yes and No are allowed"),
    .target("parameters: {initialr2t: Yes}", "4:18", "did you mean InitialR2T?"),
    .target("parameters: {MaxBurstLength: 511}", "4:34", "512 to 16777215 are allowed"),
    .target("parameters: {MaxBurstLength: }", "4:34", "is nothing, it must be text"),
    .target("parameters: []", "4:17", "is a list, it must be a mapping"),
    .target("attributes: {a: [1]}", "4:21", "is a list, it must be text"),
    .target("attributes: {'a b': 1}", "4:18", "is no name"),
    .target("attributes: {a: \"1\\n2\"}", "4:21", "not printable ASCII"),
    .target("luns: [{lun: 1}]", "4:12", "has no path and no volume"),
    .target("luns: [{lun: 1, path: /a, volume: vg1/a}]", "4:39", "has a path and a volume"),
    .target("luns: [{lun: 1, volume: vg1}]", "4:29", "is not of the form POOL/VOLUME"),
    .target("luns: [{lun: 1, volume: vg1/-a}]", "4:29", "does not begin with a letter"),
    .target("luns: [{path: /a}]", "4:12", "has no lun"),
    .target("luns: [1]", "4:12", "is a number, it must be a mapping"),
    .target(
      "luns: [{lun: 1, path: /a}, {lun: 1, path: /b}]", "4:32",
      "lun 1 of target iqn.2011-12.com.example:a: is there twice"),
    .unit("lun: 16384, path: /a", "4:19", "out of range (16384), 0 to 16383"),
    .unit("lun: -1, path: /a", "4:19", "out of range (-1)"),
    .unit("lun: one, path: /a", "4:19", "is text, it must be a number"),
    .unit("lun: 1, path: a", "4:28", "is not absolute"),
    .unit("lun: 1, path: \"/a\\nb\"", "4:28", "control character"),
    .unit("lun: 1, path: /a, pool: vg1", "4:32", "key pool that is not known"),
    .unit("lun: 1, path: /a, readonly: true", "4:32", "did you mean readOnly?"),
    .unit("lun: 1, path: /a, readOnly: no-way", "4:42", "must be true or false"),
    .unit("lun: 1, path: /a, blockSize: 0", "4:43", "out of range (0)"),
    .unit("lun: 1, path: /a, blockSize: 4k", "4:43", "must be a number"),
    .unit("lun: 1, path: /a, cache: backward", "4:39", "use one of through, back"),
    .unit("lun: 1, path: /a, cache: thruogh", "4:39", "did you mean through?"),
    .unit("lun: 1, path: /a, deviceType: floppy", "4:44", "use one of disk, cd"),
    .unit("lun: 1, path: /a, vendor: NINEBYTES", "4:40", "has 9 bytes, 1 to 8 are allowed"),
    .unit("lun: 1, path: /a, serial: ''", "4:40", "has 0 bytes"),
    .unit("lun: 1, path: /a, serial: ä", "4:40", "not printable ASCII"),
    .unit("lun: 1, path: /a, store: 'a,b'", "4:39", "must be one word"),
    .unit("lun: 1, path: /a, store: null", "4:39", "is nothing, it must be text; remove the key"),
    .unit("lun: 1, path: /a, initiators: some", "4:44", "write a list, or `all`"),
  ])
  func eachIsFound(bad: BadDocument) {
    let found = complaints(bad.text)
    let place = bad.place.hasSuffix(" ") ? bad.place : "state.yaml:\(bad.place): "
    #expect(found.contains { $0.hasPrefix(place) && $0.contains(bad.part) }, "\(found)")
  }

  @Test func allAreFoundInTheOrderOfTheText() {
    let text = """
      quartet: 1
      tagets: []
      targets:
        - name: iqn.2011-12.com.example:a
          luns:
            - {lun: 1, path: dev/a, readonly: no}
            - {lun: 1, path: /b}
            - {lun: 1, path: /c}
          portals: [10.0.0.1:0]
        - portal: []
        - name: iqn.2011-12.com.example:A
      """
    #expect(
      complaints(text) == [
        "state.yaml:2:1: the document: has key tagets that is not known; did you mean targets?",
        "state.yaml:6:24: backing path dev/a: is not absolute; begin it with a slash",
        "state.yaml:6:31: entry 1 in luns of target iqn.2011-12.com.example:a: has key readonly that is not known; "
          + "did you mean readOnly?",
        "state.yaml:8:9: lun 1 of target iqn.2011-12.com.example:a: is there twice, the other one begins in line 7; "
          + "give it another number",
        "state.yaml:9:15: portal 10.0.0.1:0: has no valid port, 1 to 65535 are allowed; "
          + "write it like 192.168.0.1:3260 or [fe80::1]:3260",
        "state.yaml:10:5: target 2 of the list: has key portal that is not known; did you mean portals?",
        "state.yaml:10:5: target 2 of the list: has no name; add it",
        "state.yaml:11:5: target iqn.2011-12.com.example:a: is there twice, the other one begins in line 4; "
          + "make one of the two",
      ])
  }

  @Test func oneKindOfProblemKeepsItsCode() {
    func code(_ text: String) -> Failure.Code? {
      #expect(throws: Failure.self) { try parsed(text) }?.code
    }
    let missing = "{user: a, secret: {file: /missing.secret}}"
    let other = "{user: b, secret: {file: /other/missing.secret}}"
    #expect(code("quartet: 1\ndiscovery: {incoming: [\(missing)]}") == .notFound)
    #expect(code("quartet: 1\ndiscovery: {incoming: [\(missing), \(other)]}") == .notFound)
    #expect(code("quartet: 1\ndiscovery: {incoming: [\(missing), 1]}") == .invalid)
  }
}
