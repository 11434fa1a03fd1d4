import HostInterface
import TargetCore
import Testing

@Suite struct CHAPTests {
  @Test(arguments: [
    ("jack", true), ("a", true), ("iqn.2011-12.com.example:ini", true), ("jack/jill@example.com", true),
    (String(repeating: "a", count: 255), true), (String(repeating: "a", count: 256), false), ("", false),
    ("a b", false),
    ("a,b", false), ("a\n", false), ("a\u{0}", false), ("a\"", false), ("a'", false), ("{a}", true),
    ("a#", true),
    ("a\\", false), ("ä", false),
  ])
  func namesAreWordsWithoutSyntax(text: String, taken: Bool) {
    #expect(((try? CHAPUser(text)) != nil) == taken)
    #expect((CHAPUser(asFound: text) != nil) == taken)
  }

  @Test(arguments: [
    (1, true, true), (11, true, true), (12, true, false), (16, true, false), (255, true, false),
    (0, false, false),
    (256, false, false),
  ])
  func secretsHaveBounds(length: Int, taken: Bool, warned: Bool) throws {
    let user = try CHAPUser("jack")
    let account = try? CHAPAccount(user: user, secret: Secret(String(repeating: "s", count: length).utf8))
    #expect((account != nil) == taken)
    #expect((account?.warning != nil) == warned)
  }

  @Test(arguments: [
    "canary secret", "canary-secret\n", "canary,secret", "canary\"secret", "canarysecretä",
  ])
  func whatIsWrongIsSaidWithoutTheSecret(text: String) throws {
    let user = try CHAPUser("jack")
    let failure = #expect(throws: Failure.self) { try CHAPAccount(user: user, secret: Secret(text.utf8)) }
    #expect(failure?.code == .invalid)
    #expect(failure?.description.contains("canary") == false)
  }

  @Test func nothingPrintsASecret() throws {
    let account = try CHAPAccount(user: CHAPUser("jack"), secret: Secret("canary".utf8))
    let name = try TargetName("iqn.2011-12.com.example:a")
    let change = Change.setAccount(name, .incoming, account, rewrite: true)
    var dumped = ""
    dump(change, to: &dumped)
    let texts = [
      "\(account)", String(reflecting: account), "\(change)", String(reflecting: change), dumped,
      account.warning ?? "", "\(CHAPAccounts(incoming: [account], outgoing: account))",
    ]
    for text in texts { #expect(!text.contains("canary")) }
    #expect(account.warning?.contains("12 bytes") == true)
    #expect(CHAPAccount(user: account.user).warning == nil)
  }
}

@Suite struct ParameterTests {
  @Test(arguments: [
    ("MaxBurstLength", "512", "512"), ("MaxBurstLength", "16777215", "16777215"),
    ("MaxBurstLength", "0512", "512"),
    ("DefaultTime2Wait", "0", "0"), ("DefaultTime2Retain", "3600", "3600"),
    ("MaxConnections", "65535", "65535"),
    ("ErrorRecoveryLevel", "2", "2"), ("InitialR2T", "yes", "Yes"), ("ImmediateData", "FALSE", "No"),
    ("ifmarker", "true", "Yes"), ("HEADERDIGEST", "crc32c,none", "CRC32C,None"),
    ("DataDigest", " None , CRC32C ", "None,CRC32C"),
    ("DataDigest", "None", "None"),
  ])
  func valuesAreNormalised(name: String, text: String, normal: String) throws {
    let parameter = try SessionParameter(named: name)
    #expect(try parameter.normalized(text) == normal)
    #expect(try parameter.normalized(normal) == normal)
  }

  @Test(arguments: [
    ("MaxBurstLength", "511"), ("MaxBurstLength", "16777216"), ("FirstBurstLength", "-512"),
    ("MaxBurstLength", "64k"),
    ("MaxBurstLength", ""), ("MaxBurstLength", "+512"), ("DefaultTime2Wait", "3601"),
    ("DefaultTime2Wait", "-0"),
    ("MaxConnections", "0"), ("MaxOutstandingR2T", "65536"), ("ErrorRecoveryLevel", "3"), ("InitialR2T", "1"),
    ("InitialR2T", ""), ("InitialR2T", "Yes "), ("HeaderDigest", ""), ("HeaderDigest", "MD5"),
    ("HeaderDigest", "None,None"),
    ("HeaderDigest", "None,"), ("HeaderDigest", ",CRC32C"), ("HeaderDigest", "CRC32C None"),
    ("MaxConnections", "99999999999999999999"),
  ])
  func otherValuesAreRefused(name: String, text: String) throws {
    let parameter = try SessionParameter(named: name)
    let failure = #expect(throws: Failure.self) { try parameter.normalized(text) }
    #expect(failure?.code == .invalid)
    #expect(failure?.problem.contains("RFC 7143") == true)
  }

  @Test func otherNamesAreRefusedWithTheListOfNames() {
    let failure = #expect(throws: Failure.self) { try SessionParameter(named: "InitialR2") }
    for parameter in SessionParameter.allCases {
      #expect(failure?.remedy?.contains(parameter.rawValue) == true)
    }
  }

  @Test func everyNameIsFoundInAnyCase() throws {
    #expect(SessionParameter.allCases.count == 17)
    for parameter in SessionParameter.allCases {
      #expect(try SessionParameter(named: parameter.rawValue.uppercased()) == parameter)
    }
  }
}

@Suite struct UnitTests {
  @Test(arguments: [
    ("/", true), ("/dev/vg1/lun1", true), ("/a b", true), ("/ä", true),
    ("/" + String(repeating: "a", count: 1022), true),
    ("/" + String(repeating: "a", count: 1023), false), ("", false), ("a", false), ("./a", false),
    ("/a\n", false),
    ("/a\u{0}", false), ("/a\u{7f}", false),
  ])
  func pathsAreAbsoluteAndPrintable(text: String, taken: Bool) {
    #expect((try? Backing(path: text)) == (taken ? .path(text) : nil))
  }

  @Test(
    arguments: [
      (.store, "rdwr", "a"), (.deviceType, "cd", "tape"), (.blockSize, "4096", "512"),
      (.readOnly, "true", "false"),
      (.cache, "back", "through"), (.thin, "true", "false"), (.removable, "false", "true"),
      (.online, "false", "true"),
      (.scsiID, "a", "b"), (.serial, "a", "b"), (.vendor, "a", "b"), (.product, "a", "b"),
      (.revision, "a", "b"),
    ] as [(UnitField, String, String)])
  func everyFieldIsSetAndCompared(field: UnitField, one: String, other: String) throws {
    var unit = LogicalUnit(lun: try LUN(1), backing: .none)
    #expect(unit[field] == nil)
    unit[field] = one
    #expect(unit[field] == one)
    unit[field] = nil
    #expect(unit[field] == one)
    var second = LogicalUnit(lun: try LUN(1), backing: .none)
    #expect(unit.differences(from: second).isEmpty && second.differences(from: unit).isEmpty)
    second[field] = other
    #expect(unit.differences(from: second) == [field])
    second[field] = one
    #expect(unit.differences(from: second).isEmpty)
  }

  @Test func whatIsNoValueLeavesTheFieldAlone() throws {
    var unit = LogicalUnit(lun: try LUN(1), backing: .none)
    for field in [UnitField.deviceType, .blockSize, .readOnly, .cache, .thin, .removable, .online] {
      unit[field] = "garbage"
      #expect(unit[field] == nil, "\(field)")
    }
    #expect(UnitField.allCases.count == 13)
  }
}
