import HostInterface
import Quartet
import SystemPackage
import TargetCore
import Testing

/// The configuration files of the implementations' own, through the command line.
struct FormatTests {
  static let formats = [("iet", "ietd.conf"), ("scst", "scst.conf"), ("lio", "saveconfig")]

  private func machine() -> FourTargets {
    let machine = FourTargets()
    machine.host.addFile("/etc/state.yaml", text: SameDocumentTests.document)
    machine.host.addFile("/etc/quartet/jack.secret", text: "secret-of-jack\n")
    machine.host.addFile("/etc/quartet/us.secret", text: "secret-of-ours\n")
    return machine
  }

  /// What is written is what the tools would restore: applied on an empty machine, it makes the same.
  @Test(arguments: formats) func whatIsExportedIsReadAgain(_ name: String, _ format: String) async throws {
    let first = machine()
    #expect(await first.quartet("apply", "-i", name, "/etc/state.yaml").status == 0)
    let exported = await first.quartet("export", "-i", name, "--format", format)
    #expect(exported.status == 0, "\(exported.errors)")
    // Without the secrets it would restore targets that ask nobody for a proof.
    #expect(exported.output.contains("secret-of-jack") && exported.output.contains("secret-of-ours"))

    let second = machine()
    second.host.addFile("/etc/own.conf", text: exported.output)
    let different = await second.quartet("diff", "--format", format, "/etc/own.conf")
    #expect(different.status == 2, "\(different)")
    let applied = await second.quartet("apply", "--format", format, "/etc/own.conf")
    #expect(applied.status == 0, "\(applied.errors)")
    #expect(!applied.output.contains("secret-of") && !applied.errors.contains("secret-of"))
    let (old, new) = (try await first.read(name), try await second.read(name))
    #expect(Set(new.targets.keys) == Set(old.targets.keys))
    for (target, was) in old.targets {
      let now = try #require(new.targets[target])
      #expect(now.units.mapValues(\.backing) == was.units.mapValues(\.backing))
      #expect(now.units.mapValues(\.serial) == was.units.mapValues(\.serial))
      #expect(now.units.mapValues(\.scsiID) == was.units.mapValues(\.scsiID))
      #expect(now.chap.incoming.map(\.user) == was.chap.incoming.map(\.user))
      #expect(now.parameters[.maxBurstLength] == was.parameters[.maxBurstLength])
      // Who may log in is not in IET's file, but in its access lists.
      if name != "iet" { #expect(now.initiators == was.initiators && now.enabled == was.enabled) }
    }
    #expect(await second.quartet("diff", "--format", format, "/etc/own.conf").status == 0)
  }

  /// It is read for another implementation too.
  @Test func oneFormatMovesToAnother() async throws {
    let machine = machine()
    machine.host.addFile(
      "/etc/ietd.conf",
      text: """
        Target iqn.2011-12.com.example:a
        \tIncomingUser jack secret-of-jack
        \tLun 0 Path=/srv/disk1,Type=fileio,ScsiId=ida,ScsiSN=sna

        """)
    let applied = await machine.quartet("apply", "-i", "scst", "--format", "ietd.conf", "/etc/ietd.conf")
    // IET's word for the store is not SCST's.
    #expect(applied.status == 0 || applied.errors.contains("fileio"), "\(applied.errors)")
    #expect(!applied.errors.contains("secret-of-jack"))
  }

  @Test func whatIsNoneIsToldSo() async throws {
    let machine = machine()
    let unknown = await machine.quartet("export", "-i", "iet", "--format", "bogus")
    #expect(unknown.status == 3)
    let wrong = await machine.quartet("export", "-i", "iet", "--format", "scst.conf")
    #expect(wrong.status == 3 && wrong.errors.contains("use ietd.conf"), "\(wrong.errors)")
    let none = await machine.quartet("export", "-i", "tgt", "--format", "scst.conf")
    #expect(none.status == 3 && none.errors.contains("leave --format out"), "\(none.errors)")
    machine.host.addFile("/etc/bad.conf", text: "Target\n\tLun x\n\u{7}")
    for (_, format) in Self.formats {
      let bad = await machine.quartet("apply", "--format", format, "/etc/bad.conf")
      // scst.conf has sections of other programs, so that what is not known in it is passed over with a word.
      #expect(bad.status == (format == "scst.conf" ? 0 : 3) && !bad.errors.isEmpty, "\(format): \(bad)")
    }
  }
}
