import HostInterface
import Quartet
import SCSTBackend
import SCSTSimulator
import SystemPackage
import TargetBackendTesting
import TargetCore
import Testing

/// scst.conf, read and written.
@Suite struct ConfigurationTests {
  private var format: ConfigurationFormat {
    get throws { try #require(BackendDescriptor.scst.formats["scst.conf"]) }
  }

  /// What a real scstadmin applied, but for the LUN in the group.
  private static let good = """
    setup_id 0x1234
    HANDLER vdisk_fileio {
    \tDEVICE disk1 {
    \t\tfilename /srv/disk1.img
    \t\tnv_cache 1
    \t\trotational 0
    \t\tt10_dev_id uuid-1234
    \t\tusn SN0001
    \t\tprod_id "My Product"
    \t}
    }
    HANDLER vdisk_blockio {
    \tDEVICE blk0 {
    \t\tfilename /dev/ram0
    \t\tread_only 1
    \t}
    }
    HANDLER vdisk_nullio {
    \tDEVICE null1 {
    \t\tsize 10485760
    \t}
    }
    TARGET_DRIVER iscsi {
    \tenabled 1
    \tIncomingUser "disc discoverpass1"
    \tTARGET iqn.2026-11.org.example:t1 {
    \t\trel_tgt_id 3
    \t\tIncomingUser "joe 12charsecret"
    \t\tIncomingUser "ann 12charsecret"
    \t\tOutgoingUser "me 12charsecret2"
    \t\tallowed_portal 127.0.0.1
    \t\tHeaderDigest None,CRC32C
    \t\tMaxSessions 4
    \t\tcomment "two words"
    \t\tenabled 1
    \t\tLUN 0 disk1
    \t\tLUN 1 blk0 {
    \t\t\tread_only 1
    \t\t}
    \t\tGROUP hosts {
    \t\t\tLUN 2 null1
    \t\t\tINITIATOR iqn.1993-08.org.debian:01:init1
    \t\t\tINITIATOR iqn.1991-05.com.microsoft:*
    \t\t}
    \t}
    }
    DEVICE_GROUP dg1 {
    \tDEVICE disk1
    \tTARGET_GROUP tg1 {
    \t\tgroup_id 1
    \t\tstate active
    \t\tTARGET iqn.2026-11.org.example:t1
    \t}
    }

    """

  private func machine() -> SCSTMachine {
    let machine = SCSTMachine()
    for path in ["/srv/disk1.img", "/srv/disk2.img"] { machine.host.addFile(FilePath(path), size: 1 << 20) }
    machine.host.addBlockDevice("/dev/ram0", size: 1 << 20)
    return machine
  }

  @Test func readsWhatScstadminReads() throws {
    let read = try format.read(Self.good)
    #expect(read.warnings.map { $0.prefix { $0 != "(" } } == ["setup_id ", "device group dg1 "])
    #expect(read.state.discovery?.incoming?.map(\.user.description) == ["disc"])
    #expect(read.state.discovery?.outgoing == .some(.none))
    let target = try #require(read.state.targets.first)
    #expect((read.state.targets.count, target.id, target.enabled) == (1, 3, true))
    #expect(target.chap?.incoming?.map(\.user.description) == ["joe", "ann"])
    #expect((target.chap?.outgoing ?? nil)?.user.description == "me")
    #expect(target.portals?.map(\.description) == ["127.0.0.1:3260"])
    #expect(target.parameters == [.headerDigest: "None,CRC32C"])
    #expect(target.attributes == ["MaxSessions": "4", "comment": "two words"])
    let names = ["iqn.1991-05.com.microsoft:*", "iqn.1993-08.org.debian:01:init1"]
    #expect(target.initiators?.map(\.description) == ["all"] + names)
    let units = try #require(target.units)
    #expect(units.map(\.lun.number) == [0, 1, 2])
    #expect(units.map(\.backing) == [.path("/srv/disk1.img"), .path("/dev/ram0"), .none])
    #expect(units.map { $0.initiators?.map(\.description) } == [["all"], ["all"], names])
    #expect(units.map(\.readOnly) == [nil, true, nil])
    #expect(units.map { $0.attributes["device"] } == ["disk1", "blk0", "null1"])
    #expect(units[0].attributes["nv_cache"] == "1" && units[2].attributes["size"] == "10485760")
    #expect((units[0].scsiID, units[0].serial, units[0].product) == ("uuid-1234", "SN0001", "My Product"))
  }

  /// What SCST gives a device by itself is told: another identity would be another disk to initiators.
  @Test(arguments: [("", "192e8e20"), ("setup_id 0x1234\n", "1234192e8e20"), ("setup_id 0\n", "192e8e20")])
  func devicesKeepTheIdentityThatTheyHave(_ start: String, _ serial: String) throws {
    let text =
      start + """
        HANDLER vdisk_blockio {
        DEVICE blk0 {
        filename /dev/ram0
        }
        }
        TARGET_DRIVER iscsi {
        TARGET iqn.2026-11.org.example:t1 {
        LUN 0 blk0
        }
        }
        """
    let unit = try #require(format.read(text).state.targets.first?.units?.first)
    #expect((unit.serial, unit.scsiID) == (serial, "\(serial)-blk0"))
    #expect(unit.initiators == nil)
  }

  @Test(arguments: [
    ("HANDLER vdisk_tape {\n}\n", "vdisk_tape"),
    ("HANDLER vdisk_nullio {\nDEVICE a\nDEVICE a\n}\n", "second"),
    ("HANDLER vdisk_fileio {\nDEVICE a\n}\n", "no filename"),
    ("HANDLER vdisk_fileio {\nDEVICE a {\nfilename /a b\n}\n}\n", "double quotes"),
    ("HANDLER vdisk_fileio {\nDEVICE a {\nfilename a\n}\n}\n", "absolute"),
    ("HANDLER vdisk_nullio {\nDEVICE a {\nread_only yes\n}\n}\n", "0 and 1"),
    ("HANDLER vdisk_nullio {\nDEVICE a {\nblocksize x\n}\n}\n", "blocksize"),
    ("HANDLER vdisk_nullio {\nDEVICE a {\nsize_mb -1\n}\n}\n", "MiB"),
    ("TARGET_DRIVER iscsi {\nTARGET \"a b\"\n}\n", "target"),
    ("TARGET_DRIVER iscsi {\nIncomingUser joe\n}\n", "a name and a secret"),
    ("TARGET_DRIVER iscsi {\nTARGET iqn.2026-11.org.example:t {\nLUN 0 a\n}\n}\n", "no handler"),
    ("TARGET_DRIVER iscsi {\nTARGET iqn.2026-11.org.example:t {\nLUN 0\n}\n}\n", "no lun and device"),
    ("TARGET_DRIVER iscsi {\nTARGET iqn.2026-11.org.example:t {\nInitialR2T maybe\n}\n}\n", "InitialR2T"),
    (
      "TARGET_DRIVER iscsi {\nTARGET iqn.2026-11.org.example:t {\nGROUP g {\nINITIATOR a/b\n}\n}\n}\n",
      "initiator"
    ),
    (
      "TARGET_DRIVER iscsi {\nTARGET iqn.2026-11.org.example:t {\nallowed_portal 10.0.0.*\n}\n}\n", "10.0.0.*"
    ),
    (
      "HANDLER vdisk_nullio {\nDEVICE a\nDEVICE b\n}\nTARGET_DRIVER iscsi {\nTARGET iqn.2026-11.org.example:t {\n"
        + "LUN 0 a\nGROUP g {\nLUN 0 b\nINITIATOR iqn.2026-11.org.example:i\n}\n}\n}\n", "two targets"
    ),
  ])
  func refusesWhatItCannotTakeOver(_ text: String, _ word: String) throws {
    let failure = #expect(throws: Failure.self) { _ = try format.read(text) }
    #expect(failure?.code == .invalid || failure?.code == .unsupported)
    #expect(failure?.description.contains(word) == true, "\(failure?.description ?? "")")
    #expect(failure?.description.hasPrefix("scst.conf line ") == true, "\(failure?.description ?? "")")
  }

  @Test func whatIsNotAppliedIsSaid() throws {
    let read = try format.read(
      """
      threads 4
      HANDLER vdisk_nullio {
      trace_level all
      DEVICE a
      }
      TARGET_DRIVER qla2x00t {
      TARGET 50:06
      }
      TARGET_DRIVER copy_manager {
      }
      TARGET_DRIVER iscsi {
      isns_server 10.0.0.1
      TARGET iqn.2026-11.org.example:t {
      enabled 1
      GROUP g {
      black_hole 1
      }
      }
      }
      """)
    for (word, warning) in zip(
      ["trace_level", "threads", "qla2x00t", "isns_server", "black_hole"], read.warnings)
    {
      #expect(warning.contains(word), "\(warning)")
    }
    #expect(read.warnings.count == 6 && read.warnings.last?.contains("enabling a target enables it") == true)
  }

  /// The file restores what it was written of; and applying it changes nothing.
  @Test func restoresWhatItWasWrittenOf() async throws {
    let machine = machine()
    let scst = try machine.implementation()
    var wanted = try format.read(Self.good).state
    wanted.targets[0].attributes["alias"] = "a # sign"
    var second = TargetSpec(name: try TargetName("iqn.2026-11.org.example:t2"))
    var unit = LogicalUnit(lun: try LUN(0), backing: .path("/srv/disk2.img"))
    (unit.blockSize, unit.cache, unit.thin, unit.vendor) = (4096, .through, true, "a \\ b")
    (second.units, second.initiators, second.enabled) = ([unit], [], false)
    wanted.targets.append(second)
    try await scst.apply(wanted)
    let detail = ReadDetail(parameters: .all, shared: true)
    let before = try await scst.read(detail)
    let text = try format.write(before)
    let read = try format.read(text)
    #expect(try await scst.difference(read.state) == [], "\(text)")

    machine.scst.reset()
    let empty = try await scst.read(detail)
    #expect(empty.targets.isEmpty)
    try await scst.apply(read.state)
    let after = try await scst.read(detail)
    #expect(after.rendering == before.rendering, "\(text)")
    #expect(try format.write(after) == text)
  }

  /// Without one of its accounts a target would let anyone in.
  @Test func aTargetWithoutItsAccountsStaysShut() throws {
    let name = try TargetName("iqn.2026-11.org.example:t1")
    var state = LiveState()
    state.targets[name] = Target(name: name, id: 1, enabled: true)
    state.facts["enabled \(name)"] = "1"
    #expect(try format.write(state).contains("enabled 1"))
    state.targets[name]?.chap.incoming = [CHAPAccount(user: try CHAPUser("jack"))]
    let text = try format.write(state)
    #expect(text.contains("# IncomingUser jack is left out") && !text.contains("enabled 1"))
  }

  @Test func noChangeOfAFileTraps() {
    var generator = SeededGenerator.chosen
    var (taken, refused) = (0, 0)
    for _ in 0..<SeededGenerator.rounds(3000) {
      let text = Fuzz.mutated(Self.good, &generator)
      do {
        let state = try format.read(text).state
        taken += 1
        #expect(state.targets.allSatisfy { Set(($0.units ?? []).map(\.lun)).count == $0.units?.count })
      } catch let failure as Failure {
        #expect(failure.code == .invalid || failure.code == .unsupported, "\(failure)")
        #expect(!failure.description.contains("12charsecret"), "\(failure)")
        refused += 1
      } catch {
        Issue.record("\(error)")
      }
    }
    #expect(taken > 100 && refused > 100)
  }
}
