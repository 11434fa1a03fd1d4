import Testing

/// Embedded pools that nobody serves: the command line opens the legs itself.
@Suite struct EmbeddedPoolTests {
  @Test func aPoolLivesFromCreateToRemove() async throws {
    try await withPools { bench in
      try await bench.makePool()
      let again = try await bench.quartet(
        "pool", "create", "vg1", "--leg", bench.legs[0], "--leg", bench.legs[1], "--size", "8M")
      #expect(again.status == 0)
      #expect(again.errors.contains("nothing to do"))
      for _ in 0..<2 {
        #expect(try await bench.quartet("pool", "create-volume", "vg1/lun1", "--size", "1M").status == 0)
      }
      #expect(try await bench.quartet("pool", "create-volume", "vg1/lun2", "--extents", "3").status == 0)
      #expect(try await bench.quartet("pool", "create-volume", "vg1/lun1", "--size", "2M").status == 5)
      #expect(try await bench.quartet("pool", "extend-volume", "vg1/lun1", "--size", "2M").status == 0)
      #expect(try await bench.quartet("pool", "rename-volume", "vg1/lun2", "database").status == 0)
      let map = try await bench.quartet("pool", "map", "vg1").output.split(separator: "\n").map {
        $0.split(separator: " ").map(String.init)
      }
      #expect(
        map.dropFirst().dropLast() == [
          ["mirror", "0", "15", "16", "lun1"], ["mirror", "16", "18", "3", "database"],
          ["mirror", "19", "34", "16", "lun1"],
        ])
      let refused = try await bench.quartet("pool", "reduce-volume", "vg1/lun1", "--size", "1M")
      #expect(refused.status == 1)
      #expect(refused.errors.contains("--force"))
      #expect(
        try await bench.quartet("pool", "reduce-volume", "vg1/lun1", "--size", "1M", "--force").status == 0)
      #expect(try await bench.quartet("pool", "move-segment", "vg1/database", "0", "--to", "40").status == 0)
      let json = try await bench.quartet("pool", "map", "vg1", "--json").output
      for key in ["\"start\" : 40", "\"extentSize\" : 65536", "\"name\" : \"database\"", "\"devices\""] {
        #expect(json.contains(key), "\(key)")
      }
      let busy = try await bench.quartet("pool", "remove", "vg1")
      #expect(busy.status == 6)
      #expect(busy.errors.contains("has 2 volumes"))
      for volume in ["vg1/lun1", "vg1/database"] {
        #expect(try await bench.quartet("pool", "remove-volume", volume).status == 0)
      }
      #expect(try await bench.quartet("pool", "remove", "vg1", "--wipe").status == 0)
      #expect(!bench.exists(bench.folder + "/pools/vg1"))
      // What is wiped is no leg any more, so that it can be used again without being told to.
      let fresh = try await bench.quartet(
        "pool", "create", "vg2", "--leg", bench.legs[0], "--leg", bench.legs[1])
      #expect(fresh.status == 0, "\(fresh.errors)")
    }
  }

  @Test func theExtentsOfAPoolStayAsTheyAre() async throws {
    try await withPools { bench in
      try await bench.makePool()
      let before = try bench.legs.map { try bench.contents($0) }
      func create(_ more: String...) async throws -> Outcome {
        try await bench.quartet(
          ["pool", "create", "vg1", "--leg", bench.legs[0], "--leg", bench.legs[1]] + more)
      }
      for more in [
        ["--extent-size", "128K"], ["--extent-size", "128K", "--wipe"], ["--extent-size", "4M"],
      ] {
        for last in [[], ["--dry-run"]] {
          let refused = try await bench.quartet(
            ["pool", "create", "vg1", "--leg", bench.legs[0], "--leg", bench.legs[1]] + more + last)
          #expect(refused.status == 5, "\(refused)")
          #expect(
            refused.errors.contains("pool vg1: exists already, with extents of 65536 bytes, not of"),
            "\(refused)")
          #expect(refused.errors.contains("leave --extent-size out, or say 65536"), "\(refused)")
        }
      }
      #expect(try await create("--extent-size", "64K").errors.contains("nothing to do"))
      #expect(try await create().errors.contains("nothing to do"))
      #expect(try bench.legs.map { try bench.contents($0) } == before)
      // What cannot be read cannot be compared, and is not said to be equal.
      _ = try await bench.shell("mv \(bench.legs[0]) \(bench.legs[0]).away")
      _ = try await bench.shell("mv \(bench.legs[1]) \(bench.legs[1]).away")
      let unread = try await create("--extent-size", "64K")
      #expect(unread.status != 0 && unread.errors.contains(bench.legs[0]), "\(unread)")
      #expect(try await create().errors.contains("nothing to do"))
    }
  }

  @Test func aRateIsForWhatIsMirrored() async throws {
    try await withPools { bench in
      let made = try await bench.quartet("pool", "create", "one", "--leg", bench.legs[0], "--size", "8M")
      try #require(made.status == 0, "\(made)")
      let before = try bench.contents(bench.folder + "/pools/one")
      let refused = try await bench.quartet("pool", "set", "one", "--resync-rate", "1M")
      #expect(refused.status == 3 && refused.errors.contains("has one leg"), "\(refused)")
      #expect(try bench.contents(bench.folder + "/pools/one") == before)
    }
  }

  @Test func aDryRunWritesNothing() async throws {
    try await withPools { bench in
      let planned = try await bench.quartet(
        "pool", "create", "vg1", "--leg", bench.legs[0], "--leg", bench.legs[1], "--size", "8M", "--dry-run")
      #expect(planned.status == 0)
      #expect(planned.output.contains("create file \(bench.legs[1]) of 8388608 bytes"))
      #expect(!bench.exists(bench.legs[0]))
      #expect(!bench.exists(bench.folder + "/pools/vg1"))
      try await bench.makePool()
      let before = try bench.contents(bench.legs[0])
      #expect(
        try await bench.quartet("pool", "create-volume", "vg1/lun1", "--size", "1M", "--dry-run").status == 0)
      for command in ["list", "status", "map vg1"] {
        let words = ["pool"] + command.split(separator: " ").map(String.init)
        #expect(try await bench.quartet(words).status == 0)
      }
      #expect(try bench.contents(bench.legs[0]) == before, "looking at a pool writes nothing")
    }
  }

  @Test func onOneLegThereIsNoMirror() async throws {
    try await withPools { bench in
      let made = try await bench.quartet(
        "pool", "create", "one", "--leg", bench.legs[0], "--size", "8M", "--extent-size", "64K")
      #expect(made.status == 0, "\(made.errors)")
      #expect(try await bench.quartet("pool", "create-volume", "one/lun1", "--size", "1M").status == 0)
      #expect(try await bench.quartet("pool", "map", "one").output.contains(bench.legs[0]))
      let verify = try await bench.quartet("pool", "verify", "one")
      #expect(verify.status == 3)
      #expect(verify.errors.contains("nothing that is mirrored"))
    }
  }

  @Test func eachEngineRefusesWhatOnlyTheOtherCan() async throws {
    try await withPools { bench in
      try await bench.makePool()
      let cases: [([String], String)] = [
        (["pool", "extend", "vg1", "/dev/sdx"], "size of its legs"),
        (["pool", "activate", "vg1"], "quartet volume attach"),
        (["pool", "snapshot", "vg1/s", "lun1", "--size", "1M"], "no snapshots"),
        (["pool", "create-volume", "vg1/t", "--size", "1M", "--thin-pool"], "no thin volumes"),
        (["pool", "create", "vg1", "/dev/sdx"], "exists already"),
      ]
      for (words, says) in cases {
        let outcome = try await bench.quartet(words)
        #expect(outcome.status == 3, "\(words)")
        #expect(outcome.errors.contains(says), "\(words): \(outcome.errors)")
      }
      let other = try await bench.quartet("pool", "attach-leg", "lvm-pool", "/srv/a")
      #expect(other.status == 4)
      #expect(other.errors.contains("is no embedded pool"))
    }
  }

  @Test func aDivergedLegIsDiscardedByName() async throws {
    try await withPools { bench in
      try await bench.makePool()
      for (gone, volume) in [(bench.legs[1], "vg1/first"), (bench.legs[0], "vg1/second")] {
        _ = try await bench.shell("mv \(gone) \(gone).away")
        let refused = try await bench.quartet("pool", "create-volume", volume, "--extents", "1")
        #expect(refused.status == 1)
        #expect(refused.errors.contains("--missing-legs"), "\(refused.errors)")
        let status = try await bench.quartet("pool", "status", "vg1")
        #expect(status.errors.contains("\(gone): cannot open"), "\(status.errors)")
        let words = ["pool", "create-volume", volume, "--extents", "1", "--missing-legs"]
        #expect(try await bench.quartet(words).status == 0)
        _ = try await bench.shell("mv \(gone).away \(gone)")
      }
      let refused = try await bench.quartet("pool", "create-volume", "vg1/third", "--extents", "1")
      #expect(refused.status == 1)
      #expect(refused.errors.contains("split brain"), "\(refused.errors)")
      #expect(
        try await bench.quartet("pool", "status", "vg1", "--json").output.contains("\"splitBrain\" : true"))
      let resolved = try await bench.quartet("pool", "attach-leg", "vg1", bench.legs[1], "--discard")
      #expect(resolved.status == 0, "\(resolved.errors)")
      let map = try await bench.quartet("pool", "map", "vg1").output
      #expect(map.contains("first") && !map.contains("second"))
      #expect(try await bench.quartet("pool", "verify", "vg1").status == 0)
      #expect(try await bench.quartet("pool", "create-volume", "vg1/third", "--extents", "1").status == 0)
    }
  }

  @Test func verifyFindsWhatDiffers() async throws {
    try await withPools { bench in
      try await bench.makePool()
      #expect(try await bench.quartet("pool", "verify", "vg1").status == 0)
      try bench.overwrite(bench.legs[1], at: 6 << 20, [1, 2, 3])
      let verified = try await bench.quartet("pool", "verify", "vg1")
      #expect(verified.status == 1)
      #expect(verified.errors.contains("4096 bytes differ"), "\(verified.errors)")
    }
  }
}
