import HostInterface
import Quartet
import SystemPackage
import TargetCore
import Testing

/// Sessions, and what is done while they are open.
@Suite struct SessionTests {
  let bench: Workbench

  init() throws { bench = try Workbench() }

  private func logIn() throws -> Int {
    try bench.simulator.logIn(
      "\(bench.initiator)", to: "\(bench.name)", user: "jack", secret: "secretsecret12", address: "192.0.2.7")
  }

  @Test func namedAndDynamicOnesAreTold() async throws {
    try await bench.lio.apply(bench.document())
    let number = try logIn()
    let session = try #require(try await bench.read().targets[bench.name]?.sessions.first)
    #expect(session.id == "\(number)" && session.initiator == "\(bench.initiator)")
    #expect(session.connections.map(\.address) == [IPAddress("192.0.2.7")])
    #expect(session.statistics["conn_timeout_errors"] == 0)
    let other = try TargetName("iqn.2011-12.com.example:disk2")
    try await bench.lio.perform([.createTarget(other, id: nil), .allow(other, .all)])
    _ = try bench.simulator.logIn("iqn.2000-01.org.example:any", to: "\(other)")
    let dynamic = try await bench.read().targets[other]?.sessions
    #expect(dynamic?.map(\.id) == ["dynamic:iqn.2000-01.org.example:any"])
  }

  @Test func bothKindsAreClosed() async throws {
    try await bench.lio.apply(bench.document())
    let named = try logIn()
    try await bench.lio.perform([.closeSession(bench.name, id: "\(named)")])
    #expect(!bench.simulator.isOpen(named))
    #expect(try bench.value("iscsi/\(bench.name)/tpgt_1/acls/\(bench.initiator)/cmdsn_depth") == "64")
    let other = try TargetName("iqn.2011-12.com.example:disk2")
    try await bench.lio.perform([.createTarget(other, id: nil), .allow(other, .all)])
    let dynamic = try bench.simulator.logIn("iqn.2000-01.org.example:any", to: "\(other)")
    try await bench.lio.perform([.closeSession(other, id: "dynamic:iqn.2000-01.org.example:any")])
    #expect(!bench.simulator.isOpen(dynamic))
    #expect(try await bench.read().targets[other]?.sessions.isEmpty == true)
  }

  @Test func aFileThatGrewIsSeen() async throws {
    try await bench.lio.apply(bench.document())
    let session = try logIn()
    bench.host.resize("/srv/disk1", to: 48 << 20)
    try await bench.lio.perform([.resizeUnit(bench.name, LUN(0))])
    #expect(bench.simulator.capacity(session, lun: 0) == 48 << 20)
    #expect(bench.simulator.isOpen(session))
  }

  @Test func removalWithASessionOpenNeedsForce() async throws {
    for change: (Bool) throws -> Change in [
      { .deleteTarget(bench.name, force: $0) }, { .removeUnit(bench.name, try LUN(0), force: $0) },
      { .replaceUnit(bench.name, try bench.unit(0, "/srv/disk3"), force: $0) },
    ] {
      try await bench.lio.apply(bench.document())
      _ = try logIn()
      let failure = await #expect(throws: Failure.self) { try await bench.lio.perform([change(false)]) }
      #expect(failure?.code == .inUse && failure?.description.contains("\(bench.initiator)") == true)
      try await bench.lio.perform([change(true)])
    }
    #expect(try await bench.read().targets[bench.name]?.units[LUN(0)]?.backing == .path("/srv/disk3"))
  }
}

/// Persistent reservations.
@Suite struct ReservationTests {
  let bench: Workbench

  init() throws { bench = try Workbench() }

  private func logIn() throws -> Int {
    try bench.simulator.logIn(
      "\(bench.initiator)", to: "\(bench.name)", user: "jack", secret: "secretsecret12")
  }

  private func reservation() async throws -> String? {
    try await bench.read().targets[bench.name]?.units[LUN(0)]?.reservation
  }

  @Test func theyAreToldAndKept() async throws {
    try await bench.lio.apply(bench.document())
    #expect(try await reservation() == nil)
    let session = try logIn()
    #expect(bench.simulator.register(session, lun: 0, key: 0xabc, isKept: true, on: bench.host))
    #expect(bench.simulator.reserve(session, lun: 0, type: 5))
    // What is kept is written at the next registration.
    #expect(bench.simulator.register(session, lun: 0, key: 0xdef, isKept: true, on: bench.host))
    let held = try #require(try await reservation())
    #expect(held.contains("\(bench.initiator)") && held.contains("Registrants Only"))
    // A loss of power: the kernel forgets, its files stay.
    bench.simulator.reset()
    try await bench.lio.apply(bench.document())
    #expect(try await reservation() == held)
  }

  /// Without it the kernel fails every registration.
  @Test(arguments: ["/var/target", "/etc/rtslib-fb-target"])
  func theFolderIsMadeWhereTheKernelSays(_ root: String) async throws {
    bench.host.remove("/var/target")
    if root != "/var/target" {
      bench.host.addDirectory(FilePath(root))
      try bench.host.write(Array(root.utf8), to: "/sys/kernel/config/target/dbroot")
    }
    try await bench.lio.apply(bench.document())
    #expect(bench.simulator.register(try logIn(), lun: 0, key: 0xabc, isKept: true, on: bench.host))
    #expect(try bench.host.list(FilePath(root + "/pr")).contains { $0.hasPrefix("aptpl_") })
    #expect(try bench.host.status("/var/target/pr") == nil || root == "/var/target")
  }
}
