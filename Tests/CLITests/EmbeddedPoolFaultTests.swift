import Glibc
import LinuxHost
import Testing

/// Bad input, and legs that are not as they should be.
@Suite struct EmbeddedPoolFaultTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var arguments: String
    var status: Int32
    var says: String
    var testDescription: String { arguments }
    init(_ arguments: String, is status: Int32, _ says: String) {
      (self.arguments, self.status, self.says) = (arguments, status, says)
    }
  }

  @Test(arguments: [
    Case("p --leg A", is: 4, "say --size"),
    Case("p --leg A --leg B --size 64K", is: 3, "few"),
    Case("p --leg A --leg B --size 8K", is: 3, "too small"),
    Case("p --leg A --leg A --size 8M", is: 3, "twice"),
    Case("p --leg a --size 8M", is: 3, "neither an absolute path"),
    Case("p --leg /tmp --size 8M", is: 3, "neither a file nor a block device"),
    Case("p --leg /dev/no-such-disk --size 8M", is: 4, "no file is made in /dev"),
    Case("p --leg FOLDER/none/a --size 8M", is: 4, "directory that does not exist"),
    Case("p --leg A --size 18446744073709551616", is: 3, "no positive number"),
    Case("p --leg A --size 18446744073709551615", is: 3, "over 1 EiB"),
    Case("p --leg A --size 16383P", is: 3, "over 1 EiB"),
    Case("p --leg A --size 900P", is: 1, "cannot make a file"),
    Case("p --leg A --size 8M --extent-size 3M", is: 3, "power of 2"),
    Case("p --leg A --size 8M --extent-size 2G", is: 3, "power of 2"),
    Case("p/q --leg A --size 8M", is: 3, "character"),
    Case("p --leg A /dev/sdx", is: 3, "both legs and devices"),
    Case("p --leg FOLDER/link --size 8M", is: 4, "which does not exist"),
    Case("p --leg FOLDER/self --size 8M", is: 1, "symbolic links"),
    Case("p --leg FOLDER/fifo --size 8M", is: 3, "neither a file nor a block device"),
    Case("p --leg A --size 1e30", is: 3, "no positive number"),
    Case("p --leg A --size=-8M", is: 3, "no positive number"),
    Case("p --leg A --size 16E", is: 3, "no positive number"),
    Case("p --leg A --size 9223372036854775808", is: 3, "over 1 EiB"),
    Case("p --leg nbd://127.0.0.1:1/export", is: 8, "refused"),
  ])
  func aPoolThatCannotBeLeavesNothing(_ case: Case) async throws {
    try await withPools { bench in
      _ = try await bench.shell("cd \(bench.folder) && ln -s none link && ln -s self self && mkfifo fifo")
      let words = `case`.arguments.split(separator: " ").map { word -> String in
        switch word {
        case "A": bench.legs[0]
        case "B": bench.legs[1]
        default: String(word).replacing("FOLDER", with: bench.folder)
        }
      }
      let outcome = try await bench.quartet(["pool", "create"] + words)
      #expect(outcome.status == `case`.status, "\(outcome.errors)")
      #expect(outcome.errors.contains(`case`.says), "\(outcome.errors)")
      #expect(!bench.exists(bench.legs[0]) && !bench.exists(bench.folder + "/pools/p"))
    }
  }

  @Test func whatIsOnALegIsNotOverwritten() async throws {
    try await withPools { bench in
      let leg = try bench.file("leg-a", size: 8 << 20)
      #expect(try await bench.shell("mkswap \(leg)").status == 0)
      let before = try bench.contents(leg)
      let words = ["pool", "create", "vg1", "--leg", leg, "--leg", bench.legs[1], "--size", "8M"]
      let refused = try await bench.quartet(words + ["--extent-size", "64K"])
      #expect(refused.status == 6)
      #expect(refused.errors.contains("swap"), "\(refused.errors)")
      #expect(try bench.contents(leg) == before)
      #expect(!bench.exists(bench.legs[1]))
      let made = try await bench.quartet(words + ["--extent-size", "64K", "--wipe"])
      #expect(made.status == 0, "\(made.errors)")
      let other = try await bench.quartet(
        "pool", "create", "vg2", "--leg", leg, "--leg", bench.folder + "/c", "--size", "8M")
      #expect(other.status == 5)
      #expect(other.errors.contains("leg of one"), "\(other.errors)")
    }
  }

  @Test(arguments: ["ln", "ln -s"]) func oneFileByTwoNamesIsNoMirror(link: String) async throws {
    try await withPools { bench in
      let leg = try bench.file("leg-a", size: 8 << 20)
      #expect(try await bench.shell("\(link) \(bench.legs[0]) \(bench.legs[1])").status == 0)
      let outcome = try await bench.quartet(
        "pool", "create", "vg1", "--leg", bench.legs[0], "--leg", bench.legs[1])
      #expect(outcome.status == 6)
      #expect(outcome.errors.contains("is leg \(leg) by another name"), "\(outcome.errors)")
      #expect(try bench.contents(leg).allSatisfy { $0 == 0 })
    }
  }

  @Test(.enabled(if: geteuid() == 0, "not root"))
  func fullAndReadOnlyFileSystemsAreRefused() async throws {
    try await withPools { bench in
      let small = bench.folder + "/small"
      let mounted = try await bench.shell("mkdir \(small) && mount -t tmpfs -o size=12M none \(small)")
      guard mounted.status == 0 else { return }
      let leg = small + "/leg"
      let full = try await bench.quartet("pool", "create", "vg1", "--leg", leg, "--size", "16M")
      #expect(full.status == 1)
      #expect(full.errors.contains("make room") && !bench.exists(leg), "\(full.errors)")
      let made = try await bench.quartet(
        "pool", "create", "vg1", "--leg", leg, "--leg", bench.legs[1], "--size", "8M", "--extent-size", "64K")
      #expect(made.status == 0, "\(made.errors)")
      #expect(try await bench.shell("mount -o remount,ro \(small)").status == 0)
      let refused = try await bench.quartet("pool", "create-volume", "vg1/lun1", "--extents", "1")
      #expect(refused.status == 1)
      #expect(refused.errors.contains("Read-only file system"), "\(refused.errors)")
    }
  }

  @Test func oneDamagedCopyIsRepairedAndSaid() async throws {
    try await withPools { bench in
      try await bench.makePool()
      let end = 8 << 20
      try bench.overwrite(bench.legs[0], at: end - 4096, [UInt8](repeating: 0xff, count: 512))
      try bench.overwrite(bench.legs[1], at: end - 16384, [UInt8](repeating: 0xff, count: 512))
      // And the pool's own label.
      for leg in bench.legs { try bench.overwrite(leg, at: 0, [UInt8](repeating: 0xff, count: 512)) }
      let changed = try await bench.quartet("pool", "create-volume", "vg1/lun1", "--extents", "1")
      #expect(changed.status == 0)
      for leg in bench.legs {
        #expect(changed.errors.contains("\(leg): one of the two copies of its metadata is damaged"))
        let contents = try bench.contents(leg)
        #expect(contents[(end - 4096)..<(end - 4096 + 512)] == contents[(end - 16384)..<(end - 16384 + 512)])
      }
      #expect(changed.errors.contains("labels of the pool was damaged, and is repaired"))
      let next = try await bench.quartet("pool", "create-volume", "vg1/lun2", "--extents", "1")
      #expect(!next.errors.contains("damaged"), "\(next.errors)")
    }
  }

  @Test func bothDamagedCopiesAreRefusedAndNothingIsWritten() async throws {
    try await withPools { bench in
      try await bench.makePool()
      for offset in [4096, 16384] {
        try bench.overwrite(bench.legs[1], at: (8 << 20) - offset, [UInt8](repeating: 0xff, count: 512))
      }
      let before = try bench.legs.map { try bench.contents($0) }
      let refused = try await bench.quartet("pool", "create-volume", "vg1/lun1", "--extents", "1")
      #expect(refused.status == 1)
      #expect(refused.errors.contains("both copies of its metadata are damaged"), "\(refused.errors)")
      #expect(try bench.legs.map { try bench.contents($0) } == before)
    }
  }

  @Test func aLegThatLostItsMetadataIsReplaced() async throws {
    try await withPools { bench in
      try await bench.makePool()
      #expect(try await bench.quartet("pool", "serve", "vg1", "--background").status == 0)
      #expect(try await bench.quartet("pool", "detach-leg", "vg1", bench.legs[1]).status == 0)
      for offset in [4096, 16384] {
        try bench.overwrite(bench.legs[1], at: (8 << 20) - offset, [UInt8](repeating: 0xff, count: 512))
      }
      let before = try bench.contents(bench.legs[1])
      let says = "both copies of its metadata are damaged; replace the leg"
      let attached = try await bench.quartet("pool", "attach-leg", "vg1", bench.legs[1])
      #expect(attached.status == 4 && attached.errors.contains(says), "\(attached.errors)")
      #expect(try bench.contents(bench.legs[1]) == before)
      let status = try await bench.quartet("pool", "status", "vg1")
      #expect(status.errors.contains(says), "why it is not there: \(status)")
      let early = try await bench.quartet("pool", "verify", "vg1")
      #expect(early.status == 8 && early.errors.contains("only one leg is up to date"), "\(early.errors)")
      let replaced = try await bench.quartet(
        "pool", "replace-leg", "vg1", bench.legs[1], bench.legs[1], "--wipe")
      #expect(replaced.status == 0, "\(replaced.errors)")
      #expect(try await bench.quartet("pool", "status", "vg1", "--watch").status == 0)
      let verified = try await bench.quartet("pool", "verify", "vg1")
      #expect(verified.status == 0 && verified.output.contains("2 legs"), "\(verified.errors)")
    }
  }

  /// A leg that has grown or shrunk has its metadata where nobody looks for them.
  @Test(arguments: ["4M", "8188K", "8196K", "16M"]) func aLegOfAnotherSizeIsRefused(size: String) async throws
  {
    try await withPools { bench in
      try await bench.makePool()
      _ = try await bench.shell("truncate -s \(size) \(bench.legs[1])")
      let before = try bench.legs.map { try bench.contents($0) }
      let refused = try await bench.quartet("pool", "create-volume", "vg1/lun1", "--extents", "1")
      #expect(refused.status == 1)
      #expect(refused.errors.contains("\(bench.legs[1]): it is no leg of a mirror"), "\(refused.errors)")
      #expect(try bench.legs.map { try bench.contents($0) } == before)
      _ = try await bench.shell("truncate -s 16M \(bench.legs[1])")
      let replaced = try await bench.quartet(
        "pool", "replace-leg", "vg1", bench.legs[1], bench.legs[1], "--missing-legs", "--wipe")
      #expect(replaced.status == 0, "\(replaced.errors)")
      #expect(try await bench.quartet("pool", "verify", "vg1").output.contains("2 legs"))
    }
  }

  @Test func aLegInUseElsewhereIsRefused() async throws {
    try await withPools { bench in
      try await bench.makePool()
      let outcome = try await bench.shell("flock \(bench.legs[0]) $Q pool create-volume vg1/lun1 --extents 1")
      #expect(outcome.status == 6)
      #expect(outcome.errors.contains("in use by another process"), "\(outcome.errors)")
    }
  }

  @Test(arguments: [
    ("", "JSON"), ("{", "JSON"), ("[]", "JSON"),
    ("{\"quartet\": 2, \"id\": \"\", \"legs\": []}", "version 2"),
    ("{\"quartet\": 1, \"id\": \"zz\", \"legs\": [\"/a\"]}", "32 hexadecimal"),
    ("{\"quartet\": 1, \"id\": \"00112233445566778899aabbccddeeff\", \"legs\": []}", "0 legs"),
    ("{\"quartet\": 1, \"id\": \"00112233445566778899aabbccddeeff\", \"legs\": [\"a\"]}", "absolute"),
    ("{\"quartet\": 1, \"id\": \"00112233445566778899aabbccddeeff\", \"legs\": [\"/a\", \"/a\"]}", "twice"),
    (
      "{\"quartet\": 1, \"id\": \"00112233445566778899aabbccddeeff\", \"legs\": [\"/a\"], \"resyncRate\": -1}",
      "resyncRate"
    ),
  ])
  func aDamagedDescriptionIsTold(_ text: String, _ says: String) async throws {
    try await withPools { bench in
      _ = try await bench.shell("mkdir -p \(bench.folder)/pools")
      _ = try bench.file("pools/vg1", text: text)
      let outcome = try await bench.quartet("pool", "create-volume", "vg1/lun1", "--extents", "1")
      #expect(outcome.status == 1)
      #expect(outcome.errors.contains(says) && outcome.errors.contains("pools/vg1"), "\(outcome.errors)")
      #expect(try await bench.quartet("pool", "list").errors.contains(says))
    }
  }

  @Test func aDescriptionOfOtherLegsIsRefused() async throws {
    try await withPools { bench in
      try await bench.makePool()
      let text = String(decoding: try bench.contents(bench.folder + "/pools/vg1"), as: UTF8.self)
      let id = try #require(text.firstMatch(of: /[0-9a-f]{32}/)?.output)
      _ = try bench.file("pools/vg1", text: text.replacing(id, with: String(id.reversed())))
      let outcome = try await bench.quartet("pool", "create-volume", "vg1/lun1", "--extents", "1")
      #expect(outcome.status == 1)
      #expect(outcome.errors.contains("another pool"), "\(outcome.errors)")
    }
  }

  @Test func aRunThatWasKilledIsFinishedByRunningItAgain() async throws {
    try await withPools { bench in
      try await bench.makePool()
      // As a run leaves it that is killed before its end.
      let file = bench.folder + "/pools/vg1"
      let text = String(decoding: try bench.contents(file), as: UTF8.self)
      _ = try bench.file("pools/vg1", text: text.replacing("{\n", with: "{\n  \"creating\": true,\n"))
      let early = try await bench.quartet("pool", "create-volume", "vg1/lun1", "--extents", "1")
      #expect(early.errors.contains("is not complete"), "\(early.errors)")
      try await bench.makePool()
      #expect(try await bench.quartet("pool", "create-volume", "vg1/lun1", "--extents", "1").status == 0)
    }
  }
}
