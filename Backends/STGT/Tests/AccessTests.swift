import TargetCore
import Testing

/// Access lists and portals, seen by a real initiator.
@Suite(.enabled(if: RealInitiator.isInstalled, RealInitiator.reason))
struct AccessTests {
  private let web = "iqn.1993-08.org.debian:01:web"
  private let database = "iqn.1993-08.org.debian:01:db"

  @Test func aNewTargetLetsNobodyIn() async throws {
    let disk = try await Exported()
    try await disk.addUnit(1)
    #expect(try await !RealInitiator.getsIn(disk.url()))
  }

  @Test func byName() async throws {
    let disk = try await Exported()
    try await disk.addUnit(1)
    try await disk.perform(.allow(disk.name, Initiator(web)))
    #expect(try await RealInitiator.getsIn(disk.url(), as: web))
    #expect(try await !RealInitiator.getsIn(disk.url(), as: database))
    try await disk.perform(.deny(disk.name, Initiator(web)), .allow(disk.name, Initiator(database)))
    #expect(try await !RealInitiator.getsIn(disk.url(), as: web))
    #expect(try await RealInitiator.getsIn(disk.url(), as: database))
  }

  /// What an initiator comes from is 127.0.0.1 here.
  @Test(arguments: [
    ("127.0.0.1", true), ("127.0.0.2", false), ("127.0.0.0/8", true), ("127.0.0.0/31", true),
    ("127.0.0.2/31", false),
    ("10.0.0.0/8", false), ("127.0.0.1/32", true), ("127.1.2.3/8", true), ("0.0.0.0/0", true), ("all", true),
    ("::1", false), ("fe80::/10", false),
  ]) func byAddress(_ rule: (text: String, getsIn: Bool)) async throws {
    let disk = try await Exported()
    try await disk.addUnit(1)
    let initiator = try Initiator(rule.text)
    try await disk.perform(.allow(disk.name, initiator))
    #expect(try await RealInitiator.getsIn(disk.url()) == rule.getsIn)
    #expect(try await disk.target().initiators == [initiator])
    try await disk.perform(.deny(disk.name, initiator))
    #expect(try await !RealInitiator.getsIn(disk.url()))
  }

  /// The same over IPv6, by a portal that Quartet opens.
  @Test(arguments: [
    ("::1", true), ("::2", false), ("::/64", true), ("fd00::/8", false), ("127.0.0.1", false), ("all", true),
  ]) func byAddressOfVersion6(_ rule: (text: String, getsIn: Bool)) async throws {
    let disk = try await Exported()
    try await disk.addUnit(1)
    let portal = try Portal("[::1]:\(disk.tgtd.port)")
    try await disk.perform(.addPortal(nil, portal), .allow(disk.name, Initiator(rule.text)))
    #expect(try await RealInitiator.getsIn("iscsi://\(portal)/\(disk.name)/1") == rule.getsIn)
  }

  @Test func aPortalIsReachedWhileItIsThere() async throws {
    let disk = try await Exported.disk()
    let portal = try Portal("127.0.0.2:\(disk.tgtd.port)")
    let url = "iscsi://\(portal)/\(disk.name)/1"
    #expect(try await !RealInitiator.getsIn(url))
    try await disk.perform(.addPortal(nil, portal))
    #expect(try await RealInitiator.getsIn(url))
    #expect(try await RealInitiator.output("iscsi-ls", "iscsi://\(portal)").contains("\(disk.name)"))
    try await disk.perform(.removePortal(nil, portal))
    #expect(try await !RealInitiator.getsIn(url))
    #expect(try await RealInitiator.getsIn(disk.url()))
  }

  @Test func aTargetOutOfServiceLetsNobodyIn() async throws {
    let disk = try await Exported.disk()
    try await disk.perform(.disableTarget(disk.name))
    #expect(try await !RealInitiator.getsIn(disk.url()))
    try await disk.perform(.enableTarget(disk.name))
    #expect(try await RealInitiator.getsIn(disk.url()))
  }

  @Test func discoveryShowsOnlyWhatOneMayEnter() async throws {
    let disk = try await Exported()
    try await disk.addUnit(1)
    try await disk.perform(.allow(disk.name, Initiator(web)))
    func found(_ name: String) async throws -> Bool {
      let result = try await RealInitiator.run("iscsi-ls", "-i", name, "iscsi://\(disk.tgtd.portal)")
      return String(decoding: result.output, as: UTF8.self).contains("\(disk.name)")
    }
    #expect(try await found(web))
    #expect(try await !found(database))
  }
}
