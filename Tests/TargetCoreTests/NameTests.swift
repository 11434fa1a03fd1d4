import HostInterface
import TargetCore
import Testing

@Suite struct NameTests {
  @Test(arguments: [
    ("iqn.2011-12.com.example:disk1", "iqn.2011-12.com.example:disk1"),
    ("IQN.2011-12.COM.Example:Disk1", "iqn.2011-12.com.example:disk1"),
    ("iqn.2011-12.com.example", "iqn.2011-12.com.example"),
    ("iqn.2011-12.com.example:a:b.c-d", "iqn.2011-12.com.example:a:b.c-d"),
    ("iqn.0000-01.x", "iqn.0000-01.x"),
    ("eui.02004567A425678D", "eui.02004567a425678d"),
    ("naa.52004567BA64678D", "naa.52004567ba64678d"),
    ("naa.62004567BA64678D0123456789ABCDEF", "naa.62004567ba64678d0123456789abcdef"),
  ])
  func goodNamesAreFolded(text: String, normal: String) throws {
    let name = try ISCSIName(text)
    #expect(name.description == normal)
    #expect(try ISCSIName(name.description) == name)
  }

  @Test(arguments: [
    ("", "must begin with iqn., eui. or naa."), ("disk1", "must begin with"),
    ("iqn:2011-12.com.example", "must begin with"),
    ("iqn.", "year and a month"), ("iqn.2011-13.com.example", "year and a month"),
    ("iqn.2011-00.com.example", "year and a month"), ("iqn.11-12.com.example", "year and a month"),
    ("iqn.2011.12.com.example", "year and a month"), ("iqn.2011-12", "year and a month"),
    ("iqn.2011-12.", "reversed domain name"), ("iqn.2011-12.:disk", "reversed domain name"),
    ("iqn.2011-12.com.:disk", "reversed domain name"),
    ("iqn.2011-12.com..example", "two dots"), ("iqn.2011-12.com.example:..", "two dots"),
    ("iqn.2011-12.com.example:../../etc", "does not allow (/)"),
    ("iqn.2011-12.com.example:a\n", "does not allow (\\n)"),
    ("iqn.2011-12.com.example:a b", "does not allow ( )"),
    ("iqn.2011-12.com.example:a\tb", "does not allow (\\t)"),
    ("iqn.2011-12.com.example:a\u{0}", "does not allow (\\0)"),
    ("iqn.2011-12.com.example:a_b", "does not allow (_)"),
    ("iqn.2011-12.com.example:a,b", "does not allow (,)"),
    ("iqn.2011-12.com.example:ä", "does not allow (\\u{00E4})"),
    ("iqn.2011-12.com.example:\u{212a}", "does not allow (\\u{212A})"),
    ("iqn.2011-12.com.example:a\u{0301}", "does not allow (\\u{0301})"),
    ("eui.0200", "16 hexadecimal digits"), ("eui.02004567a425678g", "16 hexadecimal digits"),
    ("eui.02004567a425678d0", "16 hexadecimal digits"), ("naa.5200", "16 or 32 hexadecimal digits"),
    ("naa.52004567ba64678d0", "16 or 32"), ("naa.52004567ba64678d:52004567ba64678", "16 or 32"),
  ])
  func badNamesAreRefused(text: String, why: String) {
    let failure = #expect(throws: Failure.self) { try ISCSIName(text) }
    #expect(failure?.code == .invalid)
    #expect(failure?.problem.contains(why) == true, "\(failure?.description ?? "")")
    let shown = failure?.description ?? ""
    #expect(shown.unicodeScalars.allSatisfy { (0x20...0x7e).contains($0.value) })
  }

  @Test func theLengthIsBounded() throws {
    let head = "iqn.2011-12.com.example:"
    let longest = head + String(repeating: "a", count: 223 - head.utf8.count)
    #expect(try ISCSIName(longest).description == longest)
    let failure = #expect(throws: Failure.self) { try ISCSIName(longest + "a") }
    #expect(failure?.problem == "is too long (224 bytes), at most 223 are allowed (RFC 7143 section 4.2.7.1)")
    #expect((failure?.subject.utf8.count ?? 0) < 100)
    // Bytes are counted, not characters.
    #expect(throws: Failure.self) { try ISCSIName(head + String(repeating: "ä", count: 150)) }
  }

  @Test(arguments: [
    ("iqn.2001-04.com.example:under_score", true), ("IQN.Upper", true), ("x", true),
    (String(repeating: "a", count: 255), true),
    (String(repeating: "a", count: 256), false), ("", false), ("a b", false), ("a/b", false), ("a\n", false),
    (".", false),
    ("..", false), ("a\u{7f}", false),
  ])
  func whatIsFoundNeedOnlyBeHarmless(text: String, taken: Bool) {
    #expect((ISCSIName(asFound: text) != nil) == taken)
    if taken { #expect(ISCSIName(asFound: text)?.description == text) }
  }

  @Test func namesAreOrderedByTheirText() throws {
    let names = try ["iqn.2011-12.b", "eui.0123456789abcdef", "iqn.2011-12.a"].map { try ISCSIName($0) }
    #expect(names.sorted().map(\.description) == ["eui.0123456789abcdef", "iqn.2011-12.a", "iqn.2011-12.b"])
  }
}

@Suite struct LUNTests {
  @Test(arguments: [
    (0, true), (16383, true), (-1, false), (16384, false), (Int.min, false), (Int.max, false),
  ])
  func theRangeIsThatOfFlatAddressing(number: Int, taken: Bool) {
    let lun = try? LUN(number)
    #expect((lun != nil) == taken)
    #expect((try? LUN(String(number))) == lun)
  }

  @Test(arguments: ["", " 1", "1 ", "+1", "-0", "1.0", "0x1", "one", "１", "99999999999999999999", "1\n"])
  func otherTextIsNoNumber(text: String) {
    #expect(throws: Failure.self) { try LUN(text) }
  }

  @Test func numbersAreOrdered() throws {
    #expect(try [10, 9, 0].map { try LUN($0) }.sorted().map(\.description) == ["0", "9", "10"])
  }
}

@Suite struct IdentityTests {
  /// Made by a program of its own: a node that derives another identity splits its disks in two.
  @Test(arguments: [
    ("iqn.2011-12.com.example:disk1", 0, "c960754d7e85f55c"),
    ("iqn.2011-12.com.example:disk1", 1, "cae69705ef55602a"),
    ("iqn.2011-12.com.example:disk", 11, "87a890c77e1780cb"),
    ("eui.0123456789abcdef", 16383, "fd392f238e4f942e"),
  ])
  func theValuesNeverChange(name: String, lun: Int, expected: String) throws {
    #expect(Identity.derived(target: try TargetName(name), lun: try LUN(lun)) == expected)
  }

  @Test func identitiesLeadBackToTheirLogicalUnits() throws {
    let name = try TargetName("iqn.2011-12.com.example:disk1")
    var wanted: [LUN: String] = [:]
    for lun in [0, 9, 10, 11, 4095, 16383] {
      wanted[try LUN(lun)] = Identity.derived(target: name, lun: try LUN(lun))
    }
    let foreign = [Identity.derived(target: try TargetName("iqn.2011-12.com.example:disk2"), lun: try LUN(0))]
    let others = foreign + ["0", "c960754d7e85f55", "c960754d7e85f55g"]
    #expect(Identity.luns(of: name, in: 0...16383, derivedAs: wanted.values + others) == wanted)
    #expect(Identity.luns(of: name, in: 1...9, derivedAs: wanted.values).keys.map(\.number) == [9])
  }

  @Test func aHundredThousandDiffer() throws {
    var seen: Set<String> = []
    for number in 0..<100 {
      let name = try TargetName("iqn.2011-12.com.example:disk\(number)")
      for lun in 0..<1000 { seen.insert(Identity.derived(target: name, lun: try LUN(lun))) }
    }
    #expect(seen.count == 100_000)
    #expect(seen.allSatisfy { $0.utf8.count == 16 })
  }
}
