import Testing

/// A disk has died, and another one takes its place.
@Suite struct ReplaceLegTests {
  private func new(_ bench: Workbench) -> String { bench.folder + "/new" }

  private func replace(_ bench: Workbench, _ words: String...) async throws -> Outcome {
    try await bench.quartet(["pool", "replace-leg", "vg1"] + words)
  }

  /// A volume with data, and the pool closed in order.
  private func makePool(_ bench: Workbench, size: String = "8M") async throws {
    try await bench.makePool(size: size)
    #expect(try await bench.quartet("pool", "create-volume", "vg1/lun1", "--size", "2M").status == 0)
  }

  private func description(_ bench: Workbench) throws -> String {
    String(decoding: try bench.contents(bench.folder + "/pools/vg1"), as: UTF8.self)
  }

  private func isWhole(_ bench: Workbench) async throws -> Bool {
    for _ in 0..<200 {
      let status = try await bench.quartet("pool", "status", "vg1").output
      if status.matches(of: /Connected +UpToDate/).count == 2 { return true }
      try await Task.sleep(for: .milliseconds(50))
    }
    return false
  }

  @Test func aLegThatIsGoneIsReplacedThoughNobodyServesThePool() async throws {
    try await withPools { bench in
      try await makePool(bench)
      _ = try await bench.shell("mv \(bench.legs[1]) \(bench.folder)/old")
      let early = try await replace(bench, bench.legs[1], new(bench), "--size", "8M")
      #expect(early.status == 1, "the leg may have newer data")
      #expect(early.errors.contains("--missing-legs"), "\(early.errors)")
      #expect(!bench.exists(new(bench)), "what was made is taken away again")
      let planned = try await replace(bench, bench.legs[1], new(bench), "--size", "8M", "--dry-run")
      #expect(planned.output.contains("# create file \(new(bench)) of 8388608 bytes"), "\(planned.errors)")
      #expect(planned.output.contains("# replace leg \(bench.legs[1]) of pool vg1 by \(new(bench))"))
      #expect(!bench.exists(new(bench)))
      let done = try await replace(bench, bench.legs[1], new(bench), "--size", "8M", "--missing-legs")
      #expect(done.status == 0, "\(done.errors)")
      #expect(done.output.contains("+ replace leg"))
      #expect(try description(bench).contains(new(bench)) && !description(bench).contains(bench.legs[1]))
      let verified = try await bench.quartet("pool", "verify", "vg1")
      #expect(verified.status == 0 && verified.output.contains("2 legs"), "\(verified.errors)")
      let again = try await replace(bench, bench.legs[1], new(bench), "--missing-legs")
      #expect(again.status == 0 && again.errors.contains("nothing to do"), "\(again.errors)")
    }
  }

  @Test func theFormerDiskIsRefusedAndTheRunGoesOnWhereItEnded() async throws {
    try await withPools { bench in
      try await makePool(bench)
      let before = try description(bench)
      // Killed when the new leg is made, and the description is about to be replaced.
      let killed = try await bench.shell(
        "strace -f -qq -o /dev/null -e trace=rename,renameat,renameat2 -e inject=rename,renameat,renameat2:signal=KILL"
          + " $Q pool replace-leg vg1 \(bench.legs[1]) \(new(bench)) --size 9M")
      #expect(killed.status != 0)
      #expect(try description(bench) == before && bench.exists(new(bench)))
      // The former disk is there, as it was: the pool opens without it.
      let changed = try await bench.quartet("pool", "create-volume", "vg1/lun2", "--extents", "2")
      #expect(changed.status == 0, "\(changed.errors)")
      let status = try await bench.quartet("pool", "status", "vg1")
      #expect((status.output + status.errors).contains("another disk has taken its place"), "\(status)")
      let attached = try await bench.quartet("pool", "attach-leg", "vg1", bench.legs[1], "--discard")
      #expect(attached.errors.contains("another disk has taken its place"), "\(attached.errors)")
      let again = try await replace(bench, bench.legs[1], new(bench))
      #expect(again.status == 0, "\(again.errors)")
      #expect(try description(bench).contains(new(bench)))
      #expect(try await bench.quartet("pool", "verify", "vg1").output.contains("2 legs"))
      #expect(try await bench.quartet("pool", "map", "vg1").output.contains("lun2"))
      // It comes back under the path of the new one.
      _ = try await bench.shell("cp \(bench.legs[1]) \(new(bench))")
      let refused = try await bench.quartet("pool", "create-volume", "vg1/lun3", "--extents", "2")
      #expect(refused.status == 1)
      #expect(refused.errors.contains("another disk has taken its place"), "\(refused.errors)")
    }
  }

  @Test func underAServerItGoesOnThroughAKill() async throws {
    try await withPools { bench in
      try await makePool(bench, size: "24M")
      #expect(try await bench.quartet("volume", "attach", "vg1/lun1", "--by", "fuse").status == 0)
      let volume = bench.volume("vg1/lun1")
      try bench.overwrite(volume, at: 0, [UInt8](repeating: 9, count: 1 << 20))
      _ = try await bench.shell("sync \(volume)")
      #expect(try await bench.quartet("pool", "detach-leg", "vg1", bench.legs[1]).status == 0)
      #expect(try await bench.quartet("pool", "set", "vg1", "--resync-rate", "128K").status == 0)
      let done = try await replace(bench, bench.legs[1], new(bench), "--size", "24M", "--json")
      #expect(done.status == 0 && done.output.contains("replace leg"), "\(done.errors)")
      #expect(try description(bench).contains("resyncRate"), "what else stands there is kept")
      try bench.overwrite(volume, at: 512 << 10, [UInt8](repeating: 5, count: 1 << 20))
      _ = try await bench.shell("sync \(volume)")
      await bench.killServer()
      let attached = try await bench.quartet("volume", "attach", "vg1/lun1", "--by", "fuse")
      #expect(attached.status == 0, "\(attached.errors)")
      let early = try await bench.quartet("pool", "status", "vg1").output
      #expect(early.contains("Inconsistent") || early.contains("SyncTarget"), "\(early)")
      #expect(try await bench.quartet("pool", "set", "vg1", "--resync-rate", "none").status == 0)
      #expect(try await isWhole(bench))
      // Now it has everything, so that the other one may go.
      #expect(try await bench.quartet("pool", "detach-leg", "vg1", bench.legs[0]).status == 0)
      let found = try bench.contents(volume)
      #expect(found[..<(512 << 10)].allSatisfy { $0 == 9 })
      #expect(found[(512 << 10)..<(1536 << 10)].allSatisfy { $0 == 5 })
      // A working disk came up under the name of the one that left.
      _ = try await bench.shell("rm \(bench.legs[0])")
      let same = try await replace(bench, bench.legs[0], bench.legs[0], "--size", "24M")
      #expect(same.status == 0, "\(same.errors)")
      #expect(try await isWhole(bench))
      #expect(try await bench.quartet("pool", "verify", "vg1").status == 0)
      let again = try await replace(bench, bench.legs[0], bench.legs[0])
      #expect(again.status == 0 && again.errors.contains("nothing to do"), "\(again.errors)")
    }
  }

  @Test(arguments: [false, true]) func whatCannotBeALegIsRefused(isServed: Bool) async throws {
    try await withPools { bench in
      try await makePool(bench)
      let made = try await bench.quartet(
        "pool", "create", "vg2", "--leg", bench.folder + "/c", "--leg", bench.folder + "/d", "--size", "8M")
      #expect(made.status == 0, "\(made.errors)")
      let one = try await bench.quartet(
        "pool", "create", "one", "--leg", bench.folder + "/one", "--size", "8M")
      #expect(one.status == 0, "\(one.errors)")
      let small = try bench.file("small", size: 8 << 20 - 64 << 10)
      let signed = try bench.file("signed", size: 16 << 20)
      _ = try await bench.shell("mkfs.ext4 -q \(signed); ln -s \(bench.legs[0]) \(bench.folder)/alias")
      if isServed { #expect(try await bench.quartet("pool", "serve", "vg1", "--background").status == 0) }
      let files = ["c", "one", "small", "signed"].map { bench.folder + "/" + $0 }
      let before = try files.map { try bench.contents($0) }
      let cases: [([String], String)] = [
        ([bench.legs[1], small], "too small"),
        ([bench.legs[1], small, "--wipe"], "too small"),
        ([bench.legs[1], signed], "--wipe"),
        ([bench.legs[1], bench.folder + "/c"], "leg of a mirror"),
        ([bench.legs[1], bench.folder + "/one"], "has a pool on it"),
        ([bench.legs[1], bench.legs[0], "--wipe"], "another leg of pool"),
        ([bench.legs[1], bench.folder + "/alias", "--wipe"], "in use"),
        ([bench.legs[1], bench.folder + "/none"], "--size"),
        ([bench.folder + "/none", new(bench), "--size", "8M"], "is none of pool"),
        ([bench.legs[1], new(bench), "--size", "1M"], "too small"),
        ([bench.legs[1], "/dev/null", "--wipe"], "neither a file nor a block device"),
      ]
      for (words, says) in cases {
        let outcome = try await bench.quartet(["pool", "replace-leg", "vg1"] + words)
        #expect(outcome.status != 0, "\(words)")
        #expect(outcome.errors.contains(says), "\(words): \(outcome.errors)")
        for (file, contents) in zip(files, before) {
          #expect(try bench.contents(file) == contents, "\(words) changed \(file)")
        }
      }
      #expect(!bench.exists(new(bench)))
      #expect(try await bench.quartet("pool", "verify", "vg1").output.contains("2 legs"))
      let wiped = try await replace(bench, bench.legs[1], signed, "--wipe")
      #expect(wiped.status == 0, "\(wiped.errors)")
      #expect(try await isWhole(bench))
    }
  }
}
