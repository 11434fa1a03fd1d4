import Testing

/// A pool whose legs are exports of NBD servers.
@Suite struct NBDLegPoolTests {
  private let size = 8 << 20

  private func uri(_ bench: Workbench, _ number: Int) -> String {
    "nbd+unix:///?socket=\(bench.folder)/server-\(number)"
  }

  /// Starts the server of a leg, in place of the one that was there.
  private func export(_ bench: Workbench, _ number: Int, size: Int, _ options: String = "") async throws {
    let server = "\(bench.folder)/server-\(number)"
    let started = try await bench.shell(
      """
      [ -e \(server).pid ] && kill -9 $(cat \(server).pid); rm -f \(server) \(server).pid
      truncate -s \(size) \(bench.legs[number])
      nbdkit -U \(server) -P \(server).pid file \(bench.legs[number]) \(options) >/dev/null 2>&1
      for _ in $(seq 500); do [ -s \(server).pid ] && exit; sleep 0.02; done; exit 1
      """)
    #expect(started.status == 0, "\(started.errors)")
  }

  private func makePool(_ bench: Workbench, _ legs: [String]) async throws {
    let words = legs.flatMap { ["--leg", $0] } + ["--size", "\(size)", "--extent-size", "64K"]
    let made = try await bench.quartet(["pool", "create", "vg1"] + words)
    try #require(made.status == 0, "\(made.errors)")
    #expect(try await bench.quartet("pool", "create-volume", "vg1/lun1", "--size", "4M").status == 0)
    let attached = try await bench.quartet("volume", "attach", "vg1/lun1", "--by", "fuse")
    try #require(attached.status == 0, "\(attached.errors)")
  }

  /// Waits until the status tells of a leg what it should.
  private func isTold(_ bench: Workbench, _ says: String) async throws -> Bool {
    for _ in 0..<100 {
      let status = try await bench.quartet("pool", "status", "vg1")
      if status.errors.contains(says) { return true }
      try await Task.sleep(for: .milliseconds(50))
    }
    return false
  }

  private func write(_ bench: Workbench, mebibytes: Int) async throws -> Int32 {
    let file = bench.volume("vg1/lun1")
    let load = "dd if=/dev/urandom of=\(file) bs=64k count=\(mebibytes * 16) conv=notrunc,fsync"
    return try await bench.shell(load).status
  }

  /// No lock tells the one that another has opened it.
  @Test func whoOpensThePoolTakesItFromTheFormer() async throws {
    try await withPools { bench in
      for number in [0, 1] { try await export(bench, number, size: size) }
      try await makePool(bench, [uri(bench, 0), uri(bench, 1)])
      #expect(try await write(bench, mebibytes: 1) == 0)
      func elsewhere(_ words: String) async throws -> Outcome {
        try await bench.shell("QUARTET_RUNTIME_DIR=\(bench.folder)/run2 $Q \(words)")
      }
      let taken = try await elsewhere("pool serve vg1 --background")
      #expect(taken.status == 0, "\(taken.errors)")
      #expect(try await write(bench, mebibytes: 1) != 0)
      let status = try await bench.quartet("pool", "status", "vg1")
      #expect(status.errors.contains("another process has opened the mirror"), "\(status)")
      let watched = try await elsewhere("pool status vg1 --watch")
      #expect(watched.output.contains("UpToDate"), "\(watched)")
      let verified = try await elsewhere("pool verify vg1")
      #expect(verified.output.contains("2 legs"), "\(verified)")
      #expect(try await bench.quartet("volume", "detach", "vg1/lun1").status == 0)
      #expect(try await elsewhere("pool verify vg1").output.contains("2 legs"))
      #expect(try await elsewhere("pool stop vg1").status == 0)
      let again = try await bench.quartet("volume", "attach", "vg1/lun1", "--by", "fuse")
      #expect(again.status == 0, "\(again.errors)")
      #expect(try await write(bench, mebibytes: 1) == 0)
    }
  }

  @Test func aServerThatComesBackOtherwiseIsRefusedUntilItIsAsBefore() async throws {
    try await withPools { bench in
      try await export(bench, 1, size: size)
      let leg = uri(bench, 1)
      try await makePool(bench, [bench.legs[0], leg])
      let pid = "$(cat \(bench.folder)/server-1.pid)"
      _ = try await bench.shell("kill -9 \(pid)")
      #expect(try await isTold(bench, "the NBD server ended the connection"), "though nobody writes")
      #expect(try await write(bench, mebibytes: 2) == 0)
      func attach() async throws -> Outcome { try await bench.quartet("pool", "attach-leg", "vg1", leg) }
      #expect(try await attach().errors.contains("cannot connect to the NBD server"))
      for other in [size * 2, size + 4096] {
        try await export(bench, 1, size: other)
        let outcome = try await attach()
        #expect(outcome.status == 4 && outcome.errors.contains("it is no leg"), "\(other): \(outcome)")
      }
      try await export(bench, 1, size: size, "-r")
      for words in [["attach-leg", "vg1", leg], ["replace-leg", "vg1", leg, leg, "--wipe"]] {
        let outcome = try await bench.quartet(["pool"] + words)
        #expect(outcome.errors.contains("read-only; export it for writing"), "\(outcome)")
      }
      try await export(bench, 1, size: size, "--filter=error error-pwrite=ENOSPC error-pwrite-rate=1")
      let full = try await attach()
      #expect(full.errors.contains("No space left on device"), "\(full)")
      try await export(bench, 1, size: size)
      #expect(try await attach().status == 0)
      #expect(try await bench.quartet("pool", "status", "vg1", "--watch").status == 0)
      #expect(try await bench.quartet("pool", "verify", "vg1").output.contains("2 legs"))
      // What is cut off has lost its metadata, though it has its size again.
      for other in [size / 2, size] {
        try await export(bench, 1, size: other)
        if other < size { #expect(try await isTold(bench, "the NBD server ended the connection")) }
        #expect(try await attach().status == 4)
      }
      let replaced = try await bench.quartet("pool", "replace-leg", "vg1", leg, leg, "--wipe")
      #expect(replaced.status == 0, "\(replaced.errors)")
      #expect(try await bench.quartet("pool", "status", "vg1", "--watch").status == 0)
      #expect(try await bench.quartet("pool", "verify", "vg1").output.contains("2 legs"))
    }
  }

  @Test(arguments: [
    ("exit 0", "cannot connect to the NBD server"),
    ("printf NBDMAGICIHA", "cannot connect to the NBD server"),
    ("head -c 400 /dev/urandom", "NBD magic"), ("sleep 60", "did not take the connection"),
  ])
  func whatIsNoNBDServerIsNoLeg(_ program: String, _ says: String) async throws {
    try await withPools { bench in
      let socket = bench.folder + "/fake"
      let script = """
        import socket, subprocess
        s = socket.socket(socket.AF_UNIX); s.bind('\(socket)'); s.listen(5)
        while True:
          c, _ = s.accept(); subprocess.Popen('\(program)', shell=True, stdout=c); c.close()
        """
      _ = try bench.file("fake.py", text: script)
      let started = try await bench.shell(
        """
        setsid python3 \(bench.folder)/fake.py </dev/null >/dev/null 2>&1 &
        for _ in $(seq 500); do [ -S \(socket) ] && exit; sleep 0.02; done; exit 1
        """)
      #expect(started.status == 0)
      let made = try await bench.quartet(
        "pool", "create", "vg1", "--leg", bench.legs[0], "--leg", "nbd+unix:///?socket=\(socket)", "--size",
        "8M")
      #expect(made.status != 0 && made.errors.contains(says), "\(made.errors)")
      #expect(made.errors.contains("; see whether the server"), "what to do next: \(made.errors)")
      #expect(!bench.exists(bench.legs[0]) && !bench.exists(bench.folder + "/pools/vg1"))
    }
  }
}
