import HostInterface
import Testing

@Suite(.enabled(if: Workbench.hasTgtd, "tgtd is not installed, or not root"))
struct ApplyTests {
  static func document(_ bench: Workbench, luns: ClosedRange<Int>) throws -> String {
    let disks = try luns.map { "      - {lun: \($0), path: \(try bench.file("disk\($0)"))}" }
    return """
      quartet: 1
      targets:
        - name: \(Workbench.name)
          initiators: all
          parameters: {MaxBurstLength: 1048576}
          luns:
      \(disks.joined(separator: "\n"))

      """
  }

  @Test func applyingTwiceChangesNothing() async throws {
    try await withWorkbench { bench in
      let file = try bench.file("state.yaml", text: Self.document(bench, luns: 1...3))
      #expect(try await bench.quartet("diff", file).status == 2)
      #expect(try await bench.quartet("apply", file).status == 0)
      let again = try await bench.quartet("apply", file)
      #expect(again.status == 0 && again.output.isEmpty && again.errors.contains("nothing to do"))
      let same = try await bench.quartet("diff", file)
      #expect(same.status == 0 && same.output.isEmpty)
      #expect(try await bench.quartet("apply", "--json", file).output.contains(#""changes" : ["#))
    }
  }

  @Test func whatIsExportedAppliesToNothing() async throws {
    try await withWorkbench { bench in
      let file = try bench.file("state.yaml", text: Self.document(bench, luns: 1...2))
      try await bench.quartet("apply", file)
      let exported = try await bench.quartet("export").output
      #expect(exported.contains(Workbench.name))
      let diff = try await bench.quartet(["diff", "-"], input: exported)
      #expect(diff.status == 0, "\(diff.output)\(diff.errors)")
    }
  }

  @Test func removalsAreListedFirstAndPruningIsAskedFor() async throws {
    try await withWorkbench { bench in
      try await bench.quartet("target", "create", "iqn.2011-12.com.example:stranger")
      let three = try bench.file("three.yaml", text: Self.document(bench, luns: 1...3))
      let one = try bench.file("one.yaml", text: Self.document(bench, luns: 1...1))
      try await bench.quartet("apply", three)
      let smaller = try await bench.quartet("apply", one)
      #expect(smaller.output == "- remove lun 2 of \(Workbench.name)\n- remove lun 3 of \(Workbench.name)\n")
      #expect(try await bench.quartet("target", "list").output.contains("stranger"))
      let pruned = try await bench.quartet("apply", "--prune", one)
      #expect(pruned.output == "- delete target iqn.2011-12.com.example:stranger\n")
      #expect(try await bench.quartet("target", "list").output.contains("stranger") == false)
    }
  }

  @Test func aDryRunPrintsCommandsThatDoTheSame() async throws {
    try await withWorkbench { bench in
      let file = try bench.file("state.yaml", text: Self.document(bench, luns: 1...2))
      let dry = try await bench.quartet("apply", "--dry-run", file)
      #expect(try await bench.quartet("target", "list").output.isEmpty)
      #expect(dry.output.contains("tgtadm --lld iscsi --mode target --op new --tid 1"))
      #expect(try await bench.shell(dry.output).status == 0)
      let diff = try await bench.quartet("diff", file)
      #expect(diff.status == 0, "\(diff.output)")
    }
  }

  @Test func aSecretIsNeverShown() async throws {
    try await withWorkbench { bench in
      let secret = try bench.file("secret", text: "canary-0123456789\n")
      for arguments in [
        ["--dry-run"], ["--dry-run", "--json"], ["-v"], ["-v", "--json"],
      ] {
        try await bench.quartet("target", "create", Workbench.name)
        let set = try await bench.quartet(
          ["chap", "set", Workbench.name, "jack", "--secret-file", secret] + arguments)
        #expect(set.status == 0)
        #expect(!(set.output + set.errors).contains("canary"))
      }
      for arguments in [["target", "show", Workbench.name, "--json"], ["export"], ["target", "list", "-v"]] {
        #expect(try await bench.quartet(arguments).output.contains("canary") == false)
      }
    }
  }
}
