import HostInterface
import TargetCore
import Testing

@Suite struct AddressTests {
  @Test(arguments: [
    ("10.0.0.1", "10.0.0.1"), ("::1", "::1"), ("FE80::0:1", "fe80::1"), ("fe80::1%eth0", "fe80::1%eth0"),
    ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("::ffff:10.0.0.1", "::ffff:10.0.0.1"),
    ("fe80::1%bond0.100", "fe80::1%bond0.100"),
  ])
  func addressesHaveOneNotation(text: String, normal: String) {
    #expect(IPAddress(text)?.description == normal)
    #expect(IPAddress(normal) == IPAddress(text))
  }

  @Test(arguments: [
    "", "10.0.0", "10.0.0.256", "010.0.0.1", "10.0.0.1.", " 10.0.0.1", "10.0.0.1 ", "host", "fe80::1%",
    "fe80::1%a/b",
    "fe80::1%a b", "fe80::1%sixteen-letters-", "10.0.0.1%eth0", "[::1]", "1::2::3", ":::", "10.0.0.1\n",
    "10.0.0.1\u{0}x",
    "::1\u{0}", "fe80::1%e\u{0}", "0x0a000001", "1",
  ])
  func otherTextIsNoAddress(text: String) {
    #expect(IPAddress(text) == nil)
  }

  @Test func unspecifiedAddressesAreKnown() {
    #expect(
      ["0.0.0.0", "::", "0.0.0.1", "::1"].map { IPAddress($0)?.isUnspecified } == [true, true, false, false])
  }
}

@Suite struct PortalTests {
  @Test(arguments: [
    ("192.168.0.1", "192.168.0.1:3260"), ("192.168.0.1:860", "192.168.0.1:860"), ("10.0.0.1:1", "10.0.0.1:1"),
    ("10.0.0.1:65535", "10.0.0.1:65535"), ("[::]", "[::]:3260"), ("[FE80::1]:3260", "[fe80::1]:3260"),
    ("[fe80::1%eth0]:3260", "[fe80::1%eth0]:3260"), ("10.0.0.1,iser", "10.0.0.1:3260,iser"),
    ("[::1]:3261,iser", "[::1]:3261,iser"),
  ])
  func portalsHaveOneNotation(text: String, normal: String) throws {
    let portal = try Portal(text)
    #expect(portal.description == normal)
    #expect(try Portal(normal) == portal)
  }

  @Test(arguments: [
    ("", "IP address"), ("10.0.0.1:0", "port, 1 to 65535"), ("10.0.0.1:65536", "port, 1 to 65535"),
    ("10.0.0.1:", "port"),
    ("10.0.0.1:-1", "port"), ("10.0.0.1:+1", "port"), ("10.0.0.1: 1", "port"), ("10.0.0.1:http", "port"),
    ("fe80::1", "without brackets"), ("::", "without brackets"), ("[10.0.0.1]:3260", "brackets around"),
    ("[fe80::1", "no closing bracket"), ("[fe80::1]3260", "behind its bracket"), ("[fe80::1]:3260:1", "port"),
    ("[]:3260", "brackets around"), ("host:3260", "IP address"), ("10.0.0.1:3260,rdma", "port"),
    ("10.0.0.1:3260,iser,iser", "port"), (",iser", "IP address"), ("10.0.0.1:3260\n", "port"),
    ("10.0.0.1/8", "IP address"),
  ])
  func otherTextIsNoPortal(text: String, why: String) {
    let failure = #expect(throws: Failure.self) { try Portal(text) }
    #expect(failure?.code == .invalid)
    #expect(failure?.problem.contains(why) == true, "\(failure?.description ?? "")")
  }

  @Test func portalsAreOrderedTotally() throws {
    let texts = [
      "9.0.0.1:3260", "10.0.0.1:860", "10.0.0.1:3260", "10.0.0.1:3260,iser", "[::1]:3260", "[fe80::1]:3260",
      "[fe80::1%a]:3260", "[fe80::1%b]:3260",
    ]
    let portals = try texts.map { try Portal($0) }
    #expect(portals.reversed().sorted().map(\.description) == texts)
    for (place, left) in portals.enumerated() {
      for (other, right) in portals.enumerated() { #expect((left < right) == (place < other)) }
    }
  }
}

@Suite struct InitiatorTests {
  @Test(arguments: [
    ("all", "all"), ("ALL", "all"), ("0.0.0.0/0", "all"), ("::/0", "all"),
    ("IQN.2011-12.com.example:Ini", "iqn.2011-12.com.example:ini"),
    ("eui.0123456789ABCDEF", "eui.0123456789abcdef"),
    ("IQN.1991-05.com.microsoft:*", "iqn.1991-05.com.microsoft:*"), ("iqn.*", "iqn.*"),
    ("iqn.2011-12.com.example:host?", "iqn.2011-12.com.example:host?"),
    ("10.0.0.1", "10.0.0.1"), ("10.0.0.1/32", "10.0.0.1"), ("::1/128", "::1"), ("[::1]", "::1"),
    ("192.168.0.17/24", "192.168.0.0/24"), ("10.255.255.255/9", "10.128.0.0/9"),
    ("255.255.255.255/1", "128.0.0.0/1"),
    ("255.255.255.255/31", "255.255.255.254/31"), ("2001:db8::ff/64", "2001:db8::/64"),
    ("[2001:db8:ffff::1]/33", "2001:db8:8000::/33"), ("fe80::1%eth0", "fe80::1%eth0"),
  ])
  func rulesHaveOneNotation(text: String, normal: String) throws {
    let initiator = try Initiator(text)
    #expect(initiator.description == normal)
    #expect(try Initiator(normal) == initiator)
  }

  @Test(arguments: [
    "", "everyone", "10.0.0.0/33", "::/129", "10.0.0.0/-1", "10.0.0.0/-0", "10.0.0.0/+8", "10.0.0.0/",
    "10.0.0.0/8/8",
    "10.0.0.0/255.0.0.0", "10.0.0.0/8 ", "iqn.bad", "iqn.2011-12.com.example:a b", "all,10.0.0.1",
    "10.0.0.1,10.0.0.2",
    "[10.0.0.1", "al\u{0}l", "iqn.2011-12.com.example:a/*", "iqn.2011-12.com.example:[ab]*", "iqn.a *",
  ])
  func otherTextIsNoInitiator(text: String) {
    let failure = #expect(throws: Failure.self) { try Initiator(text) }
    #expect(failure?.code == .invalid)
  }

  @Test func eachHasItsKind() throws {
    let kinds = try ["all", "iqn.2011-12.a", "10.0.0.1", "10.0.0.0/8", "iqn.*"].map { try Initiator($0).kind }
    #expect(kinds == [.all, .name, .address, .network, .pattern])
  }
}
