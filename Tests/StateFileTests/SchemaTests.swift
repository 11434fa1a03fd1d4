import Glibc
import StateFile
import SystemPackage
import TargetCore
import Testing

/// Good documents, in JSON so that the schema's validator needs no YAML.
let goodDocuments = [
  #"{"quartet": 1}"#,
  #"{"quartet": 1, "targets": [{"name": "iqn.2011-12.com.example:a", "implementation": "tgt", "id": 1, "enabled": true, "portals": ["10.0.0.1", "10.0.0.1:3260,iser", "[fe80::1%eth0]:860", "[::]"], "initiators": ["all", "10.0.0.0/8", "fe80::/64", "[::1]", "iqn.2011-12.com.example:b"], "chap": {"incoming": [{"user": "jack", "secret": {"file": "/etc/quartet/jack.secret"}}], "outgoing": null}, "parameters": {"HeaderDigest": "None, CRC32C", "InitialR2T": "Yes", "ImmediateData": false, "MaxBurstLength": "65536", "FirstBurstLength": 65536, "DefaultTime2Wait": 0, "MaxConnections": 1, "ErrorRecoveryLevel": 2}, "attributes": {"nop_count": 3, "x": "", "y": true}, "luns": [{"lun": 0, "path": "/dev/sda", "readOnly": true, "blockSize": 512, "cache": "back", "thin": true, "serial": 12345678, "scsiID": "a b", "vendor": "QUARTET", "product": "DISK", "revision": 1.5, "store": "rdwr", "deviceType": "disk", "initiators": [], "attributes": {}}]}]}"#,
  #"{"quartet": 1, "discovery": {"incoming": [], "outgoing": {"user": "me", "secret": {"descriptor": 3}}}, "targets": [{"name": "NAA.0123456789ABCDEF0123456789ABCDEF", "initiators": "all", "luns": [{"lun": 16383, "path": null, "deviceType": "tape", "removable": true, "online": false}, {"lun": 2, "volume": "vg1/lun2"}]}, {"name": "eui.0123456789abcdef", "chap": {"outgoing": {"user": "x", "secret": {"credential": "x"}}}}]}"#,
  #"{"quartet": 1, "discovery": {"incoming": [{"user": 7, "secret": {"descriptor": 0}}, {"user": "{a}#|z", "secret": {"file": "/a"}}]}, "targets": []}"#,
  #"{"quartet": 1, "resources": [{"name": "vg1", "protocol": "C", "fencing": "resource-only", "sharedSecret": {"file": "/a"}, "skipFirstSync": true, "options": {}, "net": {"verify-alg": "crc32c", "max-buffers": 8000, "allow-two-primaries": false}, "handlers": {"fence-peer": "/usr/lib/drbd/crm-fence-peer.sh"}, "nodes": [{"name": "mike", "address": "192.168.43.111:7788"}, {"name": "nancy", "address": "[fe80::1%eth0]:7788"}], "volumes": [{"minor": 0, "disk": "/dev/sdc"}, {"number": 7, "device": "/dev/drbd1", "disk": null, "metaDisk": "/dev/sdd[3]", "nodes": {"nancy": {"disk": "/dev/sde", "metaDisk": "internal", "minor": 4}}}]}], "pools": [{"name": "vg1", "devices": ["/dev/drbd0"], "extentSize": "4M", "volumes": [{"name": "lun1", "size": "10G"}, {"name": "lun2", "size": 4194304, "type": "linear"}, {"name": "tp", "extents": 20, "type": "thin-pool"}, {"name": "t1", "size": "50G", "thinPool": "tp"}, {"name": "t2", "size": "1K", "type": "thin", "thinPool": "tp"}]}, {"name": "vg2", "devices": ["/dev/sdz"]}]}"#,
  #"{"quartet": 1, "pools": [{"name": "demo", "legs": ["/srv/a.img", "nbd://host/b", "nbds+unix:///c?socket=/d"], "size": "10G", "sparse": true, "extentSize": "64K", "resyncRate": "50M", "volumes": [{"name": "lun1", "size": "4G"}, {"name": "lun2", "extents": 3, "type": "linear"}]}, {"name": "one", "legs": ["/dev/sdb"], "sparse": false}, {"name": "two", "legs": ["/a", "/b"], "resyncRate": "none"}, {"name": "three", "legs": ["/a", "/b"], "resyncRate": 1048576}], "targets": [{"name": "iqn.2011-12.com.example:a", "luns": [{"lun": 1, "volume": "demo/lun1"}]}]}"#,
]

/// Bad ones, each with one fault that a schema can see.
let badDocuments =
  [
    #"{}"#, #"[]"#, #"{"quartet": 2}"#, #"{"quartet": "1"}"#, #"{"quartet": true}"#,
    #"{"quartet": 1, "target": []}"#, #"{"quartet": 1, "targets": null}"#,
    #"{"quartet": 1, "discovery": {"incoming": [{"user": "a"}]}}"#,
    #"{"quartet": 1, "discovery": {"incoming": [{"user": "a", "secret": "b"}]}}"#,
    #"{"quartet": 1, "discovery": {"incoming": [{"user": "a", "secret": {}}]}}"#,
    #"{"quartet": 1, "discovery": {"incoming": [{"user": "a", "secret": {"file": "b"}}]}}"#,
    #"{"quartet": 1, "discovery": {"incoming": [{"user": "a", "secret": {"file": "/b", "descriptor": 3}}]}}"#,
    #"{"quartet": 1, "discovery": {"incoming": [{"user": "a", "secret": {"descriptor": 1}}]}}"#,
    #"{"quartet": 1, "discovery": {"incoming": [{"user": "a", "secret": {"credential": "../b"}}]}}"#,
    #"{"quartet": 1, "discovery": {"incoming": [{"user": "a", "secret": {"credential": ".."}}]}}"#,
    #"{"quartet": 1, "discovery": {"incoming": [{"user": "a b", "secret": {"descriptor": 3}}]}}"#,
    #"{"quartet": 1, "discovery": {"incoming": [{"user": "a\\b", "secret": {"descriptor": 3}}]}}"#,
    #"{"quartet": 1, "discovery": {"incoming": [{"user": "a,b", "secret": {"descriptor": 3}}]}}"#,
    #"{"quartet": 1, "discovery": {"incoming": [{"user": "a'b", "secret": {"descriptor": 3}}]}}"#,
    #"{"quartet": 1, "discovery": {"incoming": null}}"#,
  ]
  + [
    #""name": "disk1""#, #""name": "iqn.2011-13.com.example""#, #""name": "eui.0""#, #""name": null"#,
    #""nmae": 1"#, #""id": -1"#, #""id": 4294967296"#, #""id": "1""#, #""enabled": "yes""#,
    #""enabled": null"#,
    #""implementation": "a b""#, #""portals": "10.0.0.1""#, #""portals": ["10.0.0.1:0"]"#,
    #""portals": ["fe80::1"]"#,
    #""portals": ["host:3260"]"#, #""initiators": "some""#, #""initiators": ["disk"]"#, #""chap": null"#,
    #""chap": {"incomming": []}"#, #""parameters": {"initialr2t": "Yes"}"#,
    #""parameters": {"InitialR2T": "maybe"}"#,
    #""parameters": {"MaxBurstLength": 511}"#, #""parameters": {"ErrorRecoveryLevel": 3}"#,
    #""parameters": {"HeaderDigest": "MD5"}"#, #""parameters": []"#, #""attributes": {"a b": 1}"#,
    #""attributes": {"a": null}"#, #""attributes": {"a": "1\n2"}"#, #""luns": null"#,
    #""luns": [{"lun": 1}]"#, #""luns": [{"lun": 1, "volume": "vg1"}]"#,
    #""luns": [{"lun": 1, "path": "/a", "volume": "vg1/a"}]"#,
    #""luns": [{"path": "/a"}]"#,
  ].map { fault in
    let name = fault.hasPrefix(#""name""#) ? "" : #""name": "iqn.2011-12.com.example:a", "#
    return #"{"quartet": 1, "targets": [{\#(name)\#(fault)}]}"#
  }
  + [
    #""lun": -1"#, #""lun": 16384"#, #""lun": "1""#, #""path": "a""#, #""path": 1"#, #""size": 1"#,
    #""blockSize": 0"#,
    #""readOnly": "no""#, #""cache": "write-back""#, #""deviceType": "floppy""#, #""vendor": "NINEBYTES""#,
    #""product": "SEVENTEEN LETTERS""#, #""revision": "12345""#, #""serial": """#, #""serial": "\u00e4""#,
    #""store": "a,b""#, #""initiators": 1"#,
  ].map { fault in
    let rest = [#""lun": 1"#, #""path": "/a""#].filter { $0.prefix(5) != fault.prefix(5) }.joined(
      separator: ", ")
    return
      #"{"quartet": 1, "targets": [{"name": "iqn.2011-12.com.example:a", "luns": [{\#(rest), \#(fault)}]}]}"#
  }

/// Faults of a resource and of a pool, in JSON that is good but for them.
let badVolumeDocuments =
  [
    #""protocol": "D""#, #""fencing": "no""#, #""skipFirstSync": "yes""#, #""sharedSecret": "abc""#,
    #""net": {"a b": 1}"#, #""net": {"x": null}"#, #""net": {"protocol": "C"}"#, #""nodes": []"#,
    #""nodes": [{"name": "mike", "address": "10.0.0.1:1"}]"#, #""volumes": []"#,
    #""nodes": [{"name": "a b", "address": "10.0.0.1:1"}, {"name": "b", "address": "10.0.0.2:1"}]"#,
    #""nodes": [{"name": "a", "address": "10.0.0.1"}, {"name": "b", "address": "10.0.0.2:1"}]"#,
    #""volumes": [{"minor": 0}]"#, #""volumes": [{"disk": "/dev/sdc"}]"#, #""volume": []"#,
    #""volumes": [{"minor": -1, "disk": "/dev/sdc"}]"#,
    #""volumes": [{"minor": 1048576, "disk": "/dev/sdc"}]"#,
    #""volumes": [{"minor": 0, "disk": "sdc"}]"#, #""volumes": [{"minor": 0, "disk": "/dev/s c"}]"#,
    #""volumes": [{"minor": 0, "disk": "/dev/sdc", "metaDisk": "external"}]"#,
    #""volumes": [{"minor": 0, "disk": "/dev/sdc", "nodes": {"mike": {"number": 1}}}]"#,
  ].map { fault in
    let rest = [
      #""name": "vg1""#,
      #""nodes": [{"name": "mike", "address": "10.0.0.1:1"}, {"name": "nancy", "address": "10.0.0.2:1"}]"#,
      #""volumes": [{"minor": 0, "disk": "/dev/sdc"}]"#,
    ].filter { $0.prefix(8) != fault.prefix(8) || fault.hasPrefix(#""volume":"#) }.joined(separator: ", ")
    return #"{"quartet": 1, "resources": [{\#(rest), \#(fault)}]}"#
  }
  + [
    #""devices": []"#, #""devices": "/dev/drbd0""#, #""devices": ["drbd0"]"#, #""extentSize": 0"#,
    #""extentSize": "4 M""#, #""volumes": null"#, #""volumes": [{"size": "1G"}]"#,
    #""volumes": [{"name": "a"}]"#,
    #""volumes": [{"name": "a", "size": "1G", "extents": 1}]"#, #""volumes": [{"name": "a", "size": "1g"}]"#,
    #""volumes": [{"name": "a", "size": -1}]"#, #""volumes": [{"name": "a", "extents": "1"}]"#,
    #""volumes": [{"name": "-a", "extents": 1}]"#,
    #""volumes": [{"name": "a", "extents": 1, "type": "raid"}]"#,
    #""volumes": [{"name": "a", "extents": 1, "type": "thin"}]"#,
    #""volumes": [{"name": "a", "extents": 1, "type": "linear", "thinPool": "b"}]"#, #""legs": []"#,
    #""legs": ["/srv/a"]"#, #""size": "1G""#, #""sparse": true"#, #""resyncRate": "50M""#,
  ].map { fault in
    let rest = [#""name": "vg1""#, #""devices": ["/dev/drbd0"]"#].filter { $0.prefix(8) != fault.prefix(8) }
    return #"{"quartet": 1, "pools": [{\#(rest.joined(separator: ", ")), \#(fault)}]}"#
  }
  + [
    #""legs": []"#, #""legs": ["a"]"#, #""legs": "/srv/a""#, #""legs": ["/srv/a/"]"#,
    #""legs": ["http://a/b"]"#,
    #""legs": ["/1", "/2", "/3", "/4", "/5", "/6", "/7", "/8", "/9"]"#, #""size": "1G""#,
    #""legs": ["/srv/a"], "size": 0"#, #""legs": ["/srv/a"], "sparse": "yes""#,
    #""legs": ["/srv/a"], "resyncRate": "50M""#, #""legs": ["/srv/a", "/b"], "resyncRate": 0"#,
    #""legs": ["/srv/a", "/b"], "resyncRate": "50 M""#, #""legs": ["/srv/a"], "wipe": true"#,
    #""legs": ["/srv/a"], "volumes": [{"name": "a", "extents": 1, "type": "thin-pool"}]"#,
    #""legs": ["/srv/a"], "volumes": [{"name": "a", "extents": 1, "thinPool": "b"}]"#,
  ].map { fault in #"{"quartet": 1, "pools": [{"name": "demo", \#(fault)}]}"# }

@Suite struct SchemaTests {
  @Test func thePublishedFileIsTheSchema() throws {
    let sources = FilePath(#filePath).removingLastComponent().removingLastComponent().removingLastComponent()
    let path = sources.appending("Sources/StateFile/quartet-state.schema.json")
    let file = try FileDescriptor.open(path, .readOnly)
    defer { try? file.close() }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0) }
    #expect(String(decoding: bytes.prefix(count), as: UTF8.self) == StateFile.schema)
  }

  @Test func everyNameOfTheModelIsInTheSchema() {
    let names =
      UnitField.allCases.map(\.rawValue) + SessionParameter.allCases.map(\.rawValue)
      + DeviceType.allCases.map(\.rawValue) + CacheMode.allCases.map(\.rawValue)
    for name in names { #expect(StateFile.schema.contains("\"\(name)\""), "\(name)") }
  }

  @Test func theParserSaysTheSame() {
    for document in goodDocuments { #expect(complaints(document) == [], "\(document)") }
    for document in badDocuments + badVolumeDocuments {
      #expect(!complaints(document).isEmpty, "\(document)")
    }
  }

  /// Whatever the parser takes, the schema takes, or an editor would mark what is right.
  @Test(.enabled("python3-jsonschema is not installed") { Validator.isInstalled })
  func theSchemaSaysTheSame() throws {
    var mutator = Mutator(generator: SeededGenerator(state: 217))
    var accepted: [String] = []
    for round in 0..<4000 {
      let input = mutator.mutated(Array(goodDocuments[round % goodDocuments.count].utf8))
      if let text = String(validating: input, as: UTF8.self), complaints(input).isEmpty {
        accepted.append(text)
      }
    }
    let badDocuments = badDocuments + badVolumeDocuments
    let verdicts = try Validator.verdicts(on: goodDocuments + badDocuments + accepted)
    #expect(verdicts.count == goodDocuments.count + badDocuments.count + accepted.count)
    for (document, verdict) in zip(goodDocuments, verdicts) { #expect(verdict == "good", "\(document)") }
    for (document, verdict) in zip(badDocuments, verdicts.dropFirst(goodDocuments.count)) {
      #expect(verdict == "bad", "\(document)")
    }
    // What is YAML and no JSON is not for this validator.
    for (document, verdict) in zip(accepted, verdicts.dropFirst(goodDocuments.count + badDocuments.count)) {
      #expect(verdict != "bad", "\(document)")
    }
    #expect(verdicts.dropFirst(goodDocuments.count + badDocuments.count).count { $0 == "good" } > 50)
  }
}

/// Python's jsonschema, told one document a line and answering a word a line.
enum Validator {
  private static let program = """
    import json, sys
    import jsonschema
    schema = json.load(open(sys.argv[1]))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    def pairs(items):
        if len(dict(items)) != len(items): raise ValueError
        return dict(items)
    for line in open(sys.argv[2], encoding="utf-8", newline="\\n"):
        try: document = json.loads(json.loads(line), object_pairs_hook=pairs)
        except ValueError: print("none")
        else: print("good" if validator.is_valid(document) else "bad")
    """

  static var isInstalled: Bool {
    (try? run(["python3", "-c", "import jsonschema; jsonschema.Draft202012Validator"])) == 0
  }

  static func verdicts(on documents: [String]) throws -> [String] {
    let directory = FilePath("/tmp/quartet-schema-\(getpid())")
    guard mkdir(directory.string, 0o700) == 0 else { throw Errno(rawValue: errno) }
    let names = ["schema", "documents", "verdicts"].map { directory.appending($0) }
    defer {
      for name in names { unlink(name.string) }
      rmdir(directory.string)
    }
    try write(StateFile.schema, to: names[0])
    try write(documents.map { quoted($0) + "\n" }.joined(), to: names[1])
    let status = try run(["python3", "-c", program, names[0].string, names[1].string], output: names[2])
    #expect(status == 0)
    let file = try FileDescriptor.open(names[2], .readOnly)
    defer { try? file.close() }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0) }
    return String(decoding: bytes.prefix(count), as: UTF8.self).split(separator: "\n").map(String.init)
  }

  private static func quoted(_ text: String) -> String {
    let escaped = text.unicodeScalars.map { scalar in
      switch scalar {
      case "\"", "\\": "\\" + String(scalar)
      case " "..."~": String(scalar)
      default: scalar.utf16.map { "\\u" + String(0x1_0000 + Int($0), radix: 16).dropFirst() }.joined()
      }
    }
    return "\"" + escaped.joined() + "\""
  }

  private static func write(_ text: String, to path: FilePath) throws {
    let file = try FileDescriptor.open(
      path, .writeOnly, options: [.create, .truncate], permissions: .ownerReadWrite)
    try file.closeAfter { _ = try file.writeAll(text.utf8) }
  }

  private static func run(_ argv: [String], output: FilePath = "/dev/null") throws -> Int32 {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 1, output.string, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    if output == "/dev/null" { posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0) }
    var arguments = argv.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var pid: pid_t = 0
    let failed = posix_spawnp(&pid, argv[0], &actions, nil, &arguments, environ)
    guard failed == 0 else { throw Errno(rawValue: failed) }
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0 { guard errno == EINTR else { throw Errno(rawValue: errno) } }
    return status
  }
}
