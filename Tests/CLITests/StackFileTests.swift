import LinuxHost
import Testing

/// Embedded pools in the state file, on real files.
@Suite struct StackFileTests {
  private func document(_ bench: Workbench, volumes: String, target: Bool = false, legs: String? = nil)
    -> String
  {
    """
    quartet: 1
    pools:
      - name: vg1
        legs: [\(legs ?? bench.legs.joined(separator: ", "))]
        size: 8M
        extentSize: 64K
        volumes: [\(volumes)]

    """
      + (target
        ? """
        targets:
          - name: \(Workbench.name)
            initiators: [all]
            luns: [{lun: 1, volume: vg1/lun1}]

        """ : "")
  }

  @Test func aPoolIsWhatTheFileSays() async throws {
    try await withPools { bench in
      func apply(_ text: String, _ command: String...) async throws -> Outcome {
        try await bench.quartet(command + [bench.file("state.yaml", text: text)])
      }
      let first = document(bench, volumes: "{name: lun1, size: 1M}, {name: lun2, extents: 3}")
      let planned = try await apply(first, "apply", "--dry-run")
      #expect(planned.status == 0, "\(planned)")
      #expect(planned.output.contains("quartet pool create vg1 --leg \(bench.legs[0])"), "\(planned)")
      #expect(planned.output.contains("quartet pool create-volume vg1/lun2 --extents 3"), "\(planned)")
      #expect(!bench.exists(bench.legs[0]))
      #expect(try await apply(first, "diff").status == 2)
      let made = try await apply(first, "apply")
      #expect(
        made.output == """
          + create pool vg1
          + create volume vg1/lun1 of 1048576 bytes
          + create volume vg1/lun2 of 3 extents

          """, "\(made)")
      #expect(try await apply(first, "apply").errors.contains("nothing to do"))
      #expect(try await apply(first, "diff").status == 0)

      let larger = document(bench, volumes: "{name: lun1, size: 2M}")
      #expect(try await apply(larger, "diff").output == "+ extend volume vg1/lun1 to 2097152 bytes\n")
      #expect(try await apply(larger, "apply").status == 0)
      #expect(try await apply(larger, "diff").status == 0)
      let map = try await bench.quartet("pool", "map", "vg1").output
      #expect(map.contains("lun2"), "what is not named stays")

      let a = bench.legs[0]
      for (text, status, says) in [
        (first, 1, "`quartet pool reduce-volume vg1/lun1`"),
        (document(bench, volumes: "", legs: a), 5, "has other legs than the file names"),
        (larger.replacing("64K", with: "128K"), 5, "with extents of 65536 bytes"),
        (
          larger.replacing(
            "legs: [\(bench.legs.joined(separator: ", "))]\n    size: 8M", with: "devices: [/dev/sda]"),
          5, "is an embedded pool here"
        ),
        (document(bench, volumes: "{name: lun3, size: 64M}"), 3, "cannot have 1024 extents"),
      ] {
        let refused = try await apply(text, "apply", "--prune")
        #expect(refused.status == status && refused.errors.contains(says), "\(says): \(refused)")
      }
      #expect(try await bench.quartet("pool", "map", "vg1").output == map)
    }
  }

  @Test func sparseFilesAndTheRateOfAResyncAreWhatTheFileSays() async throws {
    try await withPools { bench in
      func apply(_ pool: String, _ command: String...) async throws -> Outcome {
        let text = document(bench, volumes: "").replacing("size: 8M", with: "size: 8M\n    " + pool)
        return try await bench.quartet(command + [bench.file("state.yaml", text: text)])
      }
      let planned = try await apply("sparse: true\n    resyncRate: 1M", "apply", "--dry-run")
      #expect(planned.output.contains("--size 8388608 --sparse --extent-size 65536\n"), "\(planned)")
      #expect(planned.output.contains("\nquartet pool set vg1 --resync-rate 1048576\n"), "\(planned)")
      let made = try await apply("sparse: true\n    resyncRate: 1M", "apply")
      let rate = "+ set the resync rate of pool vg1 to"
      #expect(made.output == "+ create pool vg1\n\(rate) 1048576 bytes a second\n", "\(made)")
      #expect(try await bench.shell("du -k \(bench.legs[0])").output.prefix { $0 != "\t" }.count < 4)
      for same in ["sparse: true\n    resyncRate: 1M", "sparse: false", "resyncRate: 1024K"] {
        #expect(try await apply(same, "diff").status == 0, "\(same)")
      }
      #expect(try await apply("resyncRate: none", "diff").output == "\(rate) no limit\n")
      #expect(try await apply("resyncRate: none", "apply").output == "\(rate) no limit\n")
      #expect(try await apply("resyncRate: none", "apply").errors.contains("nothing to do"))
    }
  }

  @Test(.enabled(if: Workbench.canServe, "nbdkit, nbdfuse or /dev/fuse is not there"))
  func whoeverServesThePoolIsToldTheRate() async throws {
    try await withPools { bench in
      try await bench.makePool()
      #expect(try await bench.quartet("pool", "serve", "vg1", "--background").status == 0)
      let text = document(bench, volumes: "").replacing("size: 8M", with: "resyncRate: 3M")
      let state = try bench.file("state.yaml", text: text)
      #expect(try await bench.quartet("apply", state).output.contains("to 3145728 bytes a second"))
      #expect(try await bench.quartet("diff", state).status == 0)
      let file = bench.folder + "/pools/vg1"
      let description = String(decoding: try bench.contents(file), as: UTF8.self)
      #expect(description.contains("3145728"), "\(description)")
      // As a run leaves it that was killed between the two.
      _ = try bench.file("pools/vg1", text: description.replacing("3145728", with: "7"))
      #expect(try await bench.quartet("diff", state).status == 2)
      _ = try bench.file("pools/vg1", text: description.replacing("3145728", with: "9437184"))
      let other = try bench.file("other.yaml", text: text.replacing("3M", with: "9M"))
      #expect(try await bench.quartet("diff", other).status == 2, "the process has another rate")
      #expect(try await bench.quartet("apply", other).status == 0)
      #expect(try await bench.quartet("diff", other).status == 0)
      #expect(try await bench.quartet("pool", "stop", "vg1").status == 0)
    }
  }

  @Test func whatStandsOnALegIsNotErased() async throws {
    try await withPools { bench in
      _ = try await bench.shell("truncate -s 8M \(bench.legs[1]) && mkswap \(bench.legs[1])")
      let state = try bench.file("state.yaml", text: document(bench, volumes: "{name: lun1, size: 1M}"))
      let refused = try await bench.quartet("apply", state)
      #expect(refused.status == 6 && refused.errors.contains("has something on it"), "\(refused)")
      // A file that erases disks would do so on any machine that it is applied on, and again.
      let by =
        "quartet pool create vg1 --leg \(bench.legs[0]) --leg \(bench.legs[1]) --size 8388608 --extent-size 65536 --wipe"
      #expect(refused.errors.contains("if that is not needed, run `\(by)`, and apply again"), "\(refused)")
      #expect(!bench.exists(bench.legs[0]) && !bench.exists(bench.folder + "/pools/vg1"))
      #expect(try await bench.shell("$Q \(by.dropFirst("quartet ".count))").status == 0)
      #expect(try await bench.quartet("apply", state).output == "+ create volume vg1/lun1 of 1048576 bytes\n")
    }
  }

  @Test(
    .enabled(if: Workbench.hasTgtd && Workbench.canServe, "tgtd, nbdkit, nbdfuse or /dev/fuse is not there"))
  func whatTheFileExportsIsAttached() async throws {
    try await withPools(daemon: true) { bench in
      let text = document(bench, volumes: "{name: lun1, size: 1M}", target: true)
        .replacing("size: 8M", with: "size: 8M\n    resyncRate: 1M")
      let state = try bench.file("state.yaml", text: text)
      let diff = try await bench.quartet("diff", state)
      #expect(diff.status == 2 && diff.output.contains("+ attach volume vg1/lun1"), "\(diff)")
      #expect(diff.output.contains("+ create target \(Workbench.name)"), "\(diff)")
      let made = try await bench.quartet("apply", state)
      #expect(made.status == 0 && made.output.contains("+ attach volume vg1/lun1"), "\(made)")
      #expect(try bench.contents(bench.volume("vg1/lun1")).count == 1 << 20)
      #expect(try await bench.quartet("apply", state).errors.contains("nothing to do"))
      #expect(try await bench.quartet("diff", state).status == 0)
      // What export writes is what is.
      let exported = try await bench.quartet("export")
      #expect(exported.output.contains("legs:"), "\(exported)")
      #expect(exported.output.contains("    resyncRate: 1048576\n"), "\(exported)")
      let again = try bench.file("again.yaml", text: exported.output)
      let same = try await bench.quartet("diff", again)
      #expect(same.status == 0, "\(same)")
      let grown = try bench.file("state.yaml", text: text.replacing("size: 1M", with: "size: 2M"))
      let done = try await bench.quartet("apply", grown)
      #expect(
        done.status == 0 && done.errors.ranges(of: "`quartet lun remove \(Workbench.name) 1`").count == 1,
        "\(done)")
      // It stays so until somebody does something about it, and is said as long.
      for command in ["apply", "diff"] {
        let again = try await bench.quartet(command, grown)
        #expect(again.status == 0 && again.output.isEmpty, "\(again)")
        #expect(
          again.errors.ranges(of: "`quartet lun remove \(Workbench.name) 1`").count == 1, "\(again)")
      }
      let wrong = try bench.file(
        "wrong.yaml", text: text.replacing("size: 1M", with: "size: 2M").replacing("/lun1}", with: "/other}"))
      #expect(try await bench.quartet("apply", wrong).status == 4)
      #expect(try await bench.quartet("target", "delete", Workbench.name).status == 0)
      #expect(try await bench.quartet("volume", "detach", "vg1/lun1").status == 0)
    }
  }
}
