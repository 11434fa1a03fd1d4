import HostInterface
import SystemPackage
import TargetCore
import Testing

/// `quartet migrate`.
struct MigrateCommandTests {
  private func machine() async -> FourTargets {
    let machine = FourTargets()
    machine.host.addFile("/etc/state.yaml", text: SameDocumentTests.document)
    machine.host.addFile("/etc/quartet/jack.secret", text: "secret-of-jack\n")
    machine.host.addFile("/etc/quartet/us.secret", text: "secret-of-ours\n")
    #expect(await machine.quartet("apply", "-i", "tgt", "/etc/state.yaml").status == 0)
    return machine
  }

  @Test func listsThenMovesThenHasNothingToDo() async throws {
    let machine = await machine()
    let words = ["migrate", "--from", "tgt", "--to", "lio", "--supplement", "/etc/state.yaml"]
    let dry = await machine.quartet(words + ["--dry-run"])
    #expect(dry.status == 0 && dry.output.contains("! lun 1 of iqn.2011-12.com.example:disk1: "), "\(dry)")
    #expect(dry.output.contains("# lio: make the targets, out of service\n"))
    #expect(dry.output.contains("mkdir /sys/kernel/config/target/iscsi/iqn.2011-12.com.example:disk1"))
    #expect(!dry.output.contains("secret-of"))
    let refused = await machine.quartet(words)
    #expect(refused.status == 1 && refused.errors.contains("--accept-losses"), "\(refused)")
    #expect(try await machine.read("lio").targets.isEmpty)
    let done = await machine.quartet(words + ["--accept-losses"])
    #expect(
      done.status == 0 && done.output.contains("- delete target iqn.2011-12.com.example:disk1\n"), "\(done)")
    #expect(try await machine.read("lio").targets.count == 2)
    // One that is out of service stays so.
    let second = try TargetName("iqn.2011-12.com.example:disk2")
    #expect(try await machine.read("lio").targets[second]?.enabled == false)
    let again = await machine.quartet(words)
    #expect(again.status == 0 && again.errors.contains("nothing to do"), "\(again)")
  }

  @Test func tellsAProgramInJSON() async throws {
    let machine = await machine()
    let done = await machine.quartet(
      "migrate", "--from", "tgt", "--to", "scst", "--portal", "192.0.2.1", "--supplement", "/etc/state.yaml",
      "--accept-losses", "--json", "iqn.2011-12.com.example:disk1")
    #expect(done.status == 0, "\(done.errors)")
    for word in [#""targets" : ["#, #""losses" : ["#, #""implementation" : "scst""#, #""dryRun" : false"#] {
      #expect(done.output.contains(word), "\(done.output)")
    }
    #expect(try await machine.read("tgt").targets.count == 1)
  }

  @Test(arguments: [
    (["--from", "tgt", "--to", "tgt"], 3, "to itself"),
    (["--from", "tgt", "--to", "bogus"], 3, "is not known"),
    (["--from", "tgt", "--to", "lio"], 3, "the secret of jack is not known"),
    (["--from", "tgt", "--to", "lio", "iqn.2011-12.com.example:none"], 4, "does not exist at tgt"),
    (["--from", "tgt", "--to", "lio", "--to-setting", "port=1"], 3, "is none of lio"),
  ]) func wrongRequestsAreToldBeforeAnythingIsTouched(_ words: [String], _ status: Int32, _ text: String)
    async throws
  {
    let machine = await machine()
    let before = try await machine.read("tgt")
    let outcome = await machine.quartet(["migrate"] + words)
    #expect(outcome.status == status && outcome.errors.contains(text), "\(outcome)")
    #expect(try await machine.read("tgt") == before)
  }
}
