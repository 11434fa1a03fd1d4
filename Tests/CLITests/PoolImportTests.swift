import Glibc
import LinuxHost
import SystemPackage
import Testing

/// Pools whose description is lost: their legs have the rest.
@Suite struct PoolImportTests {
  /// A pool with a volume, of which only the legs are left.
  private func lose(_ bench: Workbench) async throws -> [UInt8] {
    try await bench.makePool()
    #expect(try await bench.quartet("pool", "create-volume", "vg1/lun1", "--size", "1M").status == 0)
    let description = try bench.contents(file(bench))
    try LocalHost().removeFile(FilePath(file(bench)))
    return description
  }

  private func file(_ bench: Workbench) -> String { bench.folder + "/pools/vg1" }

  @Test func aLostDescriptionIsWrittenAnew() async throws {
    try await withPools { bench in
      let description = try await lose(bench)
      let legs = try bench.legs.map { try bench.contents($0) }
      let backwards = ["pool", "import", "vg1", "--leg", bench.legs[1], "--leg", bench.legs[0]]
      let planned = try await bench.quartet(backwards + ["--dry-run"])
      #expect(planned.output.contains("# import pool vg1 of \(bench.legs[0]), \(bench.legs[1])"))
      #expect(!bench.exists(file(bench)))

      let done = try await bench.quartet(backwards)
      #expect(done.status == 0 && done.errors.isEmpty, "\(done.errors)")
      #expect(try bench.contents(file(bench)) == description)
      #expect(try bench.legs.map { try bench.contents($0) } == legs)
      #expect(try await bench.quartet(backwards).errors.contains("nothing to do"))
      #expect(try await bench.quartet("pool", "map", "vg1").output.contains("lun1"))

      let other = try await bench.quartet(["pool", "import", "vg2"] + backwards.dropFirst(3))
      #expect(other.status == 5)
      #expect(other.errors.contains("is the pool vg1 of this machine"))

      // What a run left that was to make the pool is not taken for it.
      let half = String(decoding: description, as: UTF8.self).replacing("{", with: "{\"creating\": true,")
      try LocalHost().replace(FilePath(file(bench)), with: Array(half.utf8), mode: 0o600)
      #expect(try await bench.quartet(backwards).errors.contains("is not complete"))
    }
  }

  @Test func aLegThatIsNotThereIsNamedAndMissed() async throws {
    try await withPools { bench in
      let description = try await lose(bench)
      #expect(rename(bench.legs[0], bench.folder + "/away") == 0)
      let done = try await bench.quartet(
        "pool", "import", "vg1", "--leg", bench.legs[1], "--leg", bench.legs[0])
      #expect(done.status == 0)
      #expect(done.errors.contains("leg \(bench.legs[0]) is missing"), "\(done.errors)")
      #expect(done.errors.contains("--missing-legs"), "\(done.errors)")
      #expect(try bench.contents(file(bench)) == description)
      #expect(rename(bench.folder + "/away", bench.legs[0]) == 0)
      #expect(try await bench.quartet("pool", "verify", "vg1").output.contains("alike"))
    }
  }

  @Test func whatAreNotAllLegsOfOnePoolIsRefused() async throws {
    try await withPools { bench in
      _ = try await lose(bench)
      let (copy, blank, single) = (bench.folder + "/copy", bench.folder + "/blank", bench.folder + "/single")
      try LocalHost().replace(FilePath(copy), with: bench.contents(bench.legs[0]), mode: 0o600)
      try LocalHost().replace(FilePath(blank), with: [UInt8](repeating: 0, count: 8 << 20), mode: 0o600)
      let made = try await bench.quartet("pool", "create", "one", "--leg", single, "--size", "8M")
      #expect(made.status == 0, "\(made.errors)")
      let others = ["/c", "/d"].map { bench.folder + $0 }
      let two = try await bench.quartet(
        "pool", "create", "two", "--leg", others[0], "--leg", others[1], "--size", "8M")
      #expect(two.status == 0, "\(two.errors)")
      for (legs, text) in [
        ([bench.legs[0], others[1]], "is a leg of another pool"), (others, "is the pool two"),
        ([bench.legs[0]], "has 2 legs, and 1 are named"), ([bench.legs[0], copy], "is the same leg as"),
        ([bench.legs[0], bench.legs[1], bench.folder + "/none"], "has 2 legs, and 3 are named"),
        ([bench.legs[0], blank], blank), ([blank], "there is no pool on it"), ([single], "is the pool one"),
        ([bench.legs[0], single], single), ([bench.folder + "/none"], "none"),
      ] {
        let refused = try await bench.quartet(["pool", "import", "vg1"] + legs.flatMap { ["--leg", $0] })
        #expect(refused.status != 0 && refused.errors.contains(text), "\(legs): \(refused.errors)")
      }
      #expect(!bench.exists(file(bench)))
    }
  }

  @Test func aPoolOnOneLegIsImportedUnderAnotherName() async throws {
    try await withPools { bench in
      let leg = ["--leg", bench.folder + "/single"]
      #expect(try await bench.quartet(["pool", "create", "one", "--size", "8M"] + leg).status == 0)
      #expect(try await bench.quartet("pool", "create-volume", "one/lun1", "--size", "4M").status == 0)
      try LocalHost().removeFile(FilePath(bench.folder + "/pools/one"))
      let done = try await bench.quartet(["pool", "import", "other"] + leg)
      #expect(done.status == 0 && done.errors.isEmpty, "\(done.errors)")
      #expect(try await bench.quartet("pool", "map", "other").output.contains("lun1"))
    }
  }
}
