import HostInterface
import SystemPackage
import TargetBackendTesting
import TargetCore
import Testing

@testable import IETBackend

/// Texts that were good once, changed in a few places: nothing that IET or anyone writes may end the program.
@Suite struct FuzzTests {
  private static let pieces = [
    "\n", "\t", " ", "tid:", "name:", "lun:", "sid:", "cid:", "ip:", "path:", "sectors:", "blocks:",
    "blocksize:",
    "state:1", "18446744073709551615", "-1", "99999999999999999999", "[", "]", ",", "/", "ALL", "#", "\\.",
    "=", "\r",
    "\u{0}", "é", "Target ", "Lun ", "Path=", "ScsiId=",
  ]

  private static let lists = """
    tid:2 name:iqn.2026-11.com.example:t2
    tid:1 name:iqn.2026-11.com.example:t1
    \tlun:0 state:0 iotype:fileio iomode:wt blocks:2048 blocksize:512 path:/srv/iet/disk 0.img
    \tlun:1 state:1 iotype:nullio iomode:wt sectors:2048
    tid:2 name:iqn.2026-11.com.example:t2
    tid:1 name:iqn.2026-11.com.example:t1
    \tsid:566248492302848 initiator:iqn.2026-11.com.example:host2
    \t\tcid:0 ip:[0000:0000:0000:0000:0000:0000:0000:0001] state:active hd:crc32c dd:crc32c

    """
  private static let access = """
    # comment
    iqn.2026-11.com.example:t1 127.0.0.0/8, [fe80::]/64,iqn\\.2026.*
    #quartet-disabled:iqn.2026-11.com.example:t2 ALL
    ALL ALL

    """
  private static let configuration = """
    IncomingUser disc discsecret12
    Target iqn.2026-11.com.example:a
    \tIncomingUser ua passwordpass
    \tLun 0 Path=/srv/iet/disk0.img,Type=fileio,ScsiId=ida,ScsiSN=sna
    \tLun 2 Sectors=2048,Type=nullio
    \tHeaderDigest None,CRC32C
    \tWthreads 50

    """

  @Test func listsOfTheKernelNeverTrap() {
    var generator = SeededGenerator.chosen
    var targets = 0
    for _ in 0..<SeededGenerator.rounds(4000) {
      let text = String(decoding: generator.damaged(Self.lists, with: Self.pieces), as: UTF8.self)
      let list = KernelLists(text)
      targets += list.targets.count
      for target in list.targets.values {
        #expect(target.name.description.utf8.count <= 255)
        #expect(target.units.allSatisfy { $0.key == $0.value.lun })
      }
    }
    #expect(targets > 1000)
  }

  @Test func accessFilesNeverTrap() throws {
    var generator = SeededGenerator.chosen
    let name = try TargetName("iqn.2026-11.com.example:t1")
    for _ in 0..<SeededGenerator.rounds(4000) {
      let text = String(decoding: generator.damaged(Self.access, with: Self.pieces), as: UTF8.self)
      let file = AccessFile(text)
      for line in file.lines {
        let (known, _) = AccessItem.initiators(line.items)
        for item in line.items { _ = AccessItem.portal(item, port: 3260) }
        // What was understood is understood again as it is written.
        let again = AccessFile(AccessItem.line(name, known.sorted().map { AccessItem.text($0) }) + "\n")
        #expect(AccessItem.initiators(again.lines.first?.items ?? []).0 == known, "\(text.debugDescription)")
      }
    }
  }

  @Test func configurationsEndInAStateOrAFailure() {
    var generator = SeededGenerator.chosen
    var outcomes: [Bool: Int] = [:]
    for _ in 0..<SeededGenerator.rounds(4000) {
      let text = String(decoding: generator.damaged(Self.configuration, with: Self.pieces), as: UTF8.self)
      do {
        let read = try IETConfigurationReader.read(text)
        #expect(!read.warnings.joined().contains("passwordpass"))
        outcomes[true, default: 0] += 1
      } catch let failure as Failure {
        #expect(failure.code == .invalid)
        #expect(!failure.description.contains("passwordpass"))
        outcomes[false, default: 0] += 1
      } catch {
        Issue.record("\(error)")
      }
    }
    #expect((outcomes[true] ?? 0) > 100 && (outcomes[false] ?? 0) > 100)
  }

  @Test func answersOfIetadmNeverTrap() throws {
    var generator = SeededGenerator.chosen
    let name = try TargetName("iqn.2026-11.com.example:t1")
    let commands = [
      Ietadm.newTarget(1, name), Ietadm.deleteTarget(1), Ietadm.newUnit(1, try LUN(0), "Type=nullio"),
      Ietadm.deleteConnection(1, 2, 3), Ietadm.showUsers(nil), Ietadm.showUsers(1),
      SessionCheck.command(1, name),
    ]
    for _ in 0..<SeededGenerator.rounds(2000) {
      let output = generator.damaged("IncomingUser joe\n", with: Self.pieces)
      let result = CommandResult(
        status: Int32.random(in: -1...300, using: &generator), output: output,
        errors: String(
          decoding: generator.damaged("Operation not permitted.\n", with: Self.pieces), as: UTF8.self))
      for command in commands {
        _ = IETBackend(port: 3260).judge(.run(command), .success(.command(result)))
      }
    }
  }
}
