import HostInterface
import IETBackend
import IETSimulator
import Quartet
import Simulation
import SystemPackage
import TargetBackendTesting
import TargetCore
import Testing

/// ietd.conf, read and written.
@Suite struct ConfigurationTests {
  private var format: ConfigurationFormat {
    get throws { try #require(BackendDescriptor.iet.formats["ietd.conf"]) }
  }

  private static let good = """
    # comment
    incominguser disc discsecret12
    OutgoingUser out outsecret123

    Target IQN.2026-11.com.example:a
    \tIncomingUser ua passwordpass
    \tOutgoingUser oa passwordpass
    \tLun 0 Path=/srv/iet/disk 0.img,Type=fileio,ScsiId=ida,ScsiSN=sna
    \tLun 2 Sectors=2048,Type=nullio
    \tLun 3 path=/dev/vg/lv,type=blockio,iomode=ro,scsiid=idb
    \tAlias Test
    \tMaxSessions 2
    \tHeaderDigest None,CRC32C
    \tInitialR2T No
    \tWthreads 50
    \tNonsense 5
    Target iqn.2026-11.com.example:b
    \tLun 0 Path=/srv/iet/disk1.img

    """

  @Test func readsWhatIetdReads() throws {
    let read = try format.read(Self.good)
    let state = read.state
    #expect(
      state.targets.map(\.name.description) == ["iqn.2026-11.com.example:a", "iqn.2026-11.com.example:b"])
    #expect(state.discovery?.incoming?.map(\.user.description) == ["disc"])
    #expect((state.discovery?.outgoing ?? nil)?.user.description == "out")
    let first = try #require(state.targets.first)
    #expect(first.chap?.incoming?.map(\.user.description) == ["ua"])
    #expect(first.parameters == [.headerDigest: "CRC32C", .initialR2T: "No"])
    #expect(first.attributes == ["Wthreads": "50"])
    let units = try #require(first.units)
    #expect(units.map(\.lun.number) == [0, 2, 3])
    #expect(units[0].backing == .path("/srv/iet/disk 0.img"))
    #expect((units[0].scsiID, units[0].serial) == ("ida", "sna"))
    #expect((units[1].store, units[1].attributes["Sectors"]) == ("nullio", "2048"))
    #expect((units[2].store, units[2].readOnly) == ("blockio", true))
    #expect(read.warnings.count == 4)
    for word in ["Alias", "MaxSessions", "line 16 has a key", "ScsiId"] {
      #expect(read.warnings.contains { $0.contains(word) }, "\(word)")
    }
  }

  @Test(arguments: [
    ("Target a,b\n", "line 1"), ("Target\n", "line 1"),
    ("Target iqn.2026-11.com.example:a\nTarget IQN.2026-11.com.example:A\n", "line 2"),
    ("IncomingUser a\n", "needs a name"), ("IncomingUser a b\nIncomingUser a c\n", "second time"),
    ("Target iqn.2026-11.com.example:a\nLun 0 Path=/a,IOMode=RO\n", "IOMode"),
    ("Target iqn.2026-11.com.example:a\nLun 0 Path=/a,Type=foo\n", "Type"),
    ("Target iqn.2026-11.com.example:a\nLun 0 Type=fileio\n", "no Path"),
    ("Target iqn.2026-11.com.example:a\nLun 0 Type=nullio,Path=/a\n", "nullio"),
    ("Target iqn.2026-11.com.example:a\nLun x Path=/a\n", "no logical unit number"),
    ("Target iqn.2026-11.com.example:a\nLun 0 Path=/a\nLun 0 Path=/b\n", "second time"),
    ("Target iqn.2026-11.com.example:a\nLun 0 Path=/a,ScsiId=12345678901234567\n", "17 bytes"),
    ("Target iqn.2026-11.com.example:a\nLun 0 Path=a\n", "absolute"),
    ("Target iqn.2026-11.com.example:a\nInitialR2T maybe\n", "InitialR2T"),
    ("Target iqn.2026-11.com.example:a\nMaxRecvDataSegmentLength 1048576\n", "262144"),
    ("Target iqn.2026-11.com.example:a\nErrorRecoveryLevel 2\n", "ErrorRecoveryLevel"),
  ])
  func refusesWhatIetdWouldTurnIntoSomethingElse(_ text: String, _ word: String) throws {
    do {
      _ = try format.read(text)
      Issue.record("it is accepted")
    } catch let failure as Failure {
      #expect(failure.code == .invalid && failure.description.contains(word), "\(failure)")
      #expect(failure.description.hasPrefix("ietd.conf line "))
    }
  }

  /// ietd restores from the file what it was written of; and applying the file changes nothing.
  @Test func restoresWhatItWasWrittenOf() async throws {
    let world = SimulatedWorld(.release20)
    for path in ["/srv/iet/disk 0.img", "/srv/iet/disk1.img"] {
      world.host.addFile(FilePath(path), size: 1 << 20)
    }
    world.host.addBlockDevice("/dev/vg/lv", size: 1 << 20)
    let iet = try Implementation(.iet, on: world.host)
    var wanted = try format.read(Self.good).state
    wanted.targets[0].units?[0].blockSize = 4096
    wanted.targets[1].units?[0].cache = .back
    wanted.targets[1].chap?.incoming = try ["one", "two"].map {
      try CHAPAccount(user: CHAPUser($0), secret: Secret("secret-of-\($0)".utf8))
    }
    try await iet.apply(wanted)
    let detail = ReadDetail(parameters: .all, shared: true)
    let before = try await iet.read(detail)
    let text = try format.write(before)
    let identities = ["a", "b"].map {
      world.iet.identity(target: "iqn.2026-11.com.example:\($0)", lun: 0)?.serial
    }
    world.iet.die()
    world.host.addFile("/etc/iet/ietd.conf", text: text)
    _ = try await world.host.run(["ietd"], environment: [:], input: [], limit: .seconds(1))
    let after = try await iet.read(detail)
    #expect(after.rendering == before.rendering, "\(text)")
    #expect(after == before)
    // What IET does not tell is not in the file; what Quartet gives by itself is.
    #expect(world.iet.identity(target: "iqn.2026-11.com.example:b", lun: 0)?.serial == identities[1])
    #expect(try await iet.difference(format.read(text).state) == [])
  }

  @Test func saysWhatItLeavesOut() throws {
    var state = LiveState()
    let name = try #require(TargetName(asFound: "iqn.2026-11.com.example:A,b"))
    state.targets[name] = Target(name: name, id: 1, enabled: true)
    let other = try TargetName("iqn.2026-11.com.example:b")
    var target = Target(name: other, id: 2, enabled: true)
    target.chap.incoming = [CHAPAccount(user: try CHAPUser("jack"))]
    state.targets[other] = target
    let text = try format.write(state)
    #expect(text.contains("# Target iqn.2026-11.com.example:A,b has a name"))
    // An account without its secret must not vanish: the target would be open to everyone.
    #expect(text.contains("IncomingUser jack "))
  }
}
