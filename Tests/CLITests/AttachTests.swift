import LinuxHost
import Testing

/// Volumes of embedded pools as files, by the real nbdkit and nbdfuse.
@Suite(.enabled(if: Workbench.canServe, "nbdkit, nbdfuse, /dev/fuse or the plugin is not there, or not root"))
struct AttachTests {
  @Test func aVolumeIsAttachedUsedAndDetached() async throws {
    try await withPools { bench in
      try await bench.makePool()
      for volume in ["vg1/lun1", "vg1/lun2"] {
        #expect(try await bench.quartet("pool", "create-volume", volume, "--size", "1M").status == 0)
      }
      let file = bench.volume("vg1/lun1")
      let planned = try await bench.quartet("volume", "attach", "vg1/lun1", "--by", "fuse", "--dry-run")
      #expect(planned.output.contains("pool serve vg1 --background") && planned.output.contains("nbdfuse"))
      #expect(!bench.exists(file))
      for volume in ["vg1/lun1", "vg1/lun2"] {
        let attached = try await bench.quartet("volume", "attach", volume, "--by", "fuse")
        #expect(attached.status == 0, "\(attached.errors)")
      }
      #expect(try await bench.quartet("volume", "attach", "vg1/lun1").errors.contains("nothing to do"))
      #expect(try bench.contents(file).count == 1 << 20)
      let data = (0..<65536).map { _ in UInt8.random(in: .min ... .max) }
      try bench.overwrite(file, at: 4096, data)
      #expect(try await bench.quartet("pool", "list").output.contains("open"))
      let busy = try await bench.shell("exec 3<\(file); $Q volume detach vg1/lun1")
      #expect(busy.status == 6, "\(busy.errors)")
      #expect(try await bench.quartet("pool", "remove-volume", "vg1/lun1").status == 6)
      #expect(try await bench.quartet("pool", "stop", "vg1").status == 6)
      #expect(try await bench.quartet("volume", "detach", "vg1/lun1").status == 0)
      #expect(!bench.exists(file))
      #expect(try await bench.quartet("pool", "list").output.contains("served"))
      #expect(try await bench.quartet("volume", "detach", "vg1/lun2").status == 0)
      #expect(try await !bench.quartet("pool", "list").output.contains("served"))
      #expect(!bench.exists(bench.folder + "/run/pools/vg1.control"))
      #expect(try await bench.quartet("volume", "attach", "vg1/lun1", "--by", "fuse").status == 0)
      #expect(try Array(bench.contents(file)[4096..<4096 + 65536]) == data)
      #expect(try await bench.quartet("volume", "detach", "vg1/lun1").status == 0)
      #expect(try await bench.quartet("pool", "verify", "vg1").status == 0)
    }
  }

  @Test func aVolumeThatGrowsWhileItIsAttachedShowsItAfterwards() async throws {
    try await withPools { bench in
      try await bench.makePool()
      #expect(try await bench.quartet("pool", "create-volume", "vg1/lun1", "--size", "1M").status == 0)
      #expect(try await bench.quartet("volume", "attach", "vg1/lun1", "--by", "fuse").status == 0)
      let grown = try await bench.quartet("pool", "extend-volume", "vg1/lun1", "--size", "2M")
      #expect(grown.status == 0)
      for command in ["`quartet volume detach vg1/lun1`", "`quartet volume attach vg1/lun1`"] {
        #expect(grown.errors.contains(command), "\(grown.errors)")
      }
      let file = bench.volume("vg1/lun1")
      #expect(try bench.contents(file).count == 1 << 20)
      let reduced = try await bench.quartet("pool", "reduce-volume", "vg1/lun1", "--size", "1M", "--force")
      #expect(reduced.status == 6, "\(reduced.errors)")
      #expect(try await bench.quartet("volume", "detach", "vg1/lun1").status == 0)
      #expect(try await bench.quartet("volume", "attach", "vg1/lun1", "--by", "fuse").status == 0)
      #expect(try bench.contents(file).count == 2 << 20)
      #expect(try await bench.quartet("volume", "detach", "vg1/lun1").status == 0)
      let quiet = try await bench.quartet("pool", "extend-volume", "vg1/lun1", "--size", "3M")
      #expect(quiet.status == 0 && quiet.errors.isEmpty, "\(quiet.errors)")
    }
  }

  @Test func afterAKillEverythingConverges() async throws {
    try await withPools { bench in
      try await bench.makePool()
      #expect(try await bench.quartet("pool", "create-volume", "vg1/lun1", "--size", "1M").status == 0)
      #expect(try await bench.quartet("volume", "attach", "vg1/lun1", "--by", "fuse").status == 0)
      try bench.overwrite(bench.volume("vg1/lun1"), at: 0, [UInt8](repeating: 7, count: 4096))
      _ = try await bench.shell("sync \(bench.volume("vg1/lun1"))")
      await bench.killServer()
      let again = try await bench.quartet("volume", "attach", "vg1/lun1", "--by", "fuse")
      #expect(again.status == 0, "\(again.errors)")
      #expect(try bench.contents(bench.volume("vg1/lun1")).prefix(4096).allSatisfy { $0 == 7 })
      await bench.killServer()
      #expect(try await bench.quartet("volume", "detach", "vg1/lun1").status == 0)
      #expect(!bench.exists(bench.volume("vg1/lun1")))
    }
  }

  @Test func whyAServerDoesNotStartIsTold() async throws {
    try await withPools { bench in
      try await bench.makePool()
      _ = try await bench.shell("rm \(bench.legs[1])")
      let outcome = try await bench.quartet("pool", "serve", "vg1", "--background")
      #expect(outcome.status == 1)
      #expect(outcome.errors.contains("legs are missing") && outcome.errors.contains(bench.legs[1]))
      let served = try await bench.quartet("pool", "serve", "vg1", "--background", "--missing-legs")
      #expect(served.status == 0, "\(served.errors)")
      #expect(try await bench.quartet("pool", "serve", "vg1").errors.contains("served already"))
      #expect(try await bench.quartet("pool", "stop", "vg1").status == 0)
    }
  }

  @Test func aLegComesAndGoesUnderAServer() async throws {
    try await withPools { bench in
      try await bench.makePool(size: "24M")
      #expect(try await bench.quartet("pool", "create-volume", "vg1/lun1", "--size", "16M").status == 0)
      #expect(try await bench.quartet("volume", "attach", "vg1/lun1", "--by", "fuse").status == 0)
      #expect(try await bench.quartet("pool", "detach-leg", "vg1", bench.legs[1]).status == 0)
      let last = try await bench.quartet("pool", "detach-leg", "vg1", bench.legs[0])
      #expect(last.status == 1)
      #expect(last.errors.contains("only leg that is up to date"), "\(last.errors)")
      let load = "dd if=/dev/urandom of=\(bench.volume("vg1/lun1")) bs=1M count=12 conv=notrunc,fsync"
      #expect(try await bench.shell(load).status == 0)
      #expect(try await bench.quartet("pool", "status", "vg1").output.contains("12 MiB"))
      // So slow that it is seen, on a busy machine too.
      #expect(try await bench.quartet("pool", "set", "vg1", "--resync-rate", "128K").status == 0)
      #expect(try await bench.quartet("pool", "attach-leg", "vg1", bench.legs[1]).status == 0)
      let early = try await bench.quartet("pool", "status", "vg1").output
      #expect(early.contains("SyncTarget") && early.contains("resync ["), "\(early)")
      #expect(try await bench.quartet("pool", "set", "vg1", "--resync-rate", "16M").status == 0)
      let watched = try await bench.quartet("pool", "status", "vg1", "--watch").output
      #expect(
        watched.split(separator: "\n").suffix(2).allSatisfy {
          $0.contains(" UpToDate ") && $0.contains(" 0 B ")
        })
      #expect(try await bench.quartet("pool", "verify", "vg1").status == 0)
      #expect(
        try await bench.quartet("pool", "attach-leg", "vg1", bench.legs[1]).errors.contains("nothing to do"))
    }
  }

  @Test(.enabled(if: Workbench.hasTgtd, "tgtd is not installed"))
  func aVolumeIsExportedByItsName() async throws {
    try await withPools(daemon: true) { bench in
      try await bench.makePool()
      #expect(try await bench.quartet("pool", "create-volume", "vg1/lun1", "--size", "1M").status == 0)
      let state = try bench.file(
        "state.yaml",
        text: """
          quartet: 1
          targets:
            - name: \(Workbench.name)
              initiators: [all]
              luns: [{lun: 1, volume: vg1/lun1}]

          """)
      let early = try await bench.quartet("apply", state)
      #expect(early.status == 4)
      #expect(early.errors.contains("run `quartet volume attach vg1/lun1` first"), "\(early.errors)")
      #expect(try await bench.quartet("volume", "attach", "vg1/lun1", "--by", "fuse").status == 0)
      #expect(try await bench.quartet("apply", state).status == 0)
      #expect(try await bench.quartet("apply", state).errors.contains("nothing to do"))
      let busy = try await bench.quartet("volume", "detach", "vg1/lun1")
      #expect(busy.status == 6)
      #expect(busy.errors.contains("exported as lun 1 of \(Workbench.name)"), "\(busy.errors)")
      let grown = try await bench.quartet("pool", "extend-volume", "vg1/lun1", "--size", "2M")
      #expect(grown.status == 0)
      #expect(grown.errors.contains("`quartet lun remove \(Workbench.name) 1`"), "\(grown.errors)")
      #expect(try await bench.quartet("target", "delete", Workbench.name).status == 0)
      #expect(try await bench.quartet("volume", "detach", "vg1/lun1").status == 0)
    }
  }
}

extension Workbench {
  /// Kills the process that serves, as a crash does, and waits until its sockets are gone.
  func killServer() async {
    let script = """
      for file in $(grep -lzxFs "QUARTET_RUNTIME_DIR=\(folder)/run" /proc/[0-9]*/environ); do
        pid=${file#/proc/}
        pid=${pid%/environ}
        [ "$(cat /proc/$pid/comm)" = nbdkit ] && kill -9 "$pid"
      done
      while grep -q "\(folder)/run" /proc/net/unix; do sleep 0.01; done
      """
    _ = try? await LocalHost().run(["sh", "-c", script], environment: [:], input: [], limit: .seconds(10))
  }
}
