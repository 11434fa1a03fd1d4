import BlockEngine
import ExtentPool
import Glibc
import HostInterface
import LinuxBlockDevices
import SystemPackage

/// What changes of a pool cost, in an empty one and in a crowded one.
struct PoolBench {
  let repetitions: Int
  let table: BenchTable

  func measure() throws {
    let scene = try EngineScene(in: "/var/tmp")
    defer { scene.end() }
    try measureChanges(scene)
    try measureCrowd(scene)
  }

  private struct Times {
    var create: [Double] = []
    var extend: [Double] = []
    var remove: [Double] = []
  }

  private func volume(_ number: Int) throws -> VolumeName { try VolumeName("volume\(number)") }

  /// With no other volume and with 500, in turn.
  private func measureChanges(_ scene: EngineScene) throws {
    let crowds = [0, 500]
    var pools: [(ExtentPool, Mirror)] = []
    for crowd in crowds {
      let files = try [0, 1].map {
        try AIOFile(scene.file("pool-\(crowd)-\($0)", bytes: 16 << 30, isSparse: true), on: scene.loop)
      }
      let mirror = try scene.mirror(files)
      let pool = try scene.pool(on: mirror)
      for number in 0..<crowd {
        try scene.loop.finish { pool.createVolume(try volume(number), extents: 2, $0) }
      }
      pools.append((pool, mirror))
    }
    var times = [Times(), Times()]
    for number in 0..<repetitions * 20 {
      let name = try VolumeName("new\(number)")
      for place in pools.indices {
        let pool = pools[place].0
        times[place].create.append(try time(scene) { pool.createVolume(name, extents: 4, $0) })
        times[place].extend.append(try time(scene) { pool.extendVolume(name, by: 4, $0) })
        times[place].remove.append(try time(scene) { pool.removeVolume(name, $0) })
      }
    }
    for (_, mirror) in pools { try scene.loop.finish { mirror.close($0) } }
    for (what, path) in [("create", \Times.create), ("extend", \Times.extend), ("remove", \Times.remove)] {
      let (none, many) = (median(times[0][keyPath: path]), median(times[1][keyPath: path]))
      table.value("\(what) a volume, none there", none, unit: "ms", goal: 1)
      table.value("\(what) a volume, 500 there", many, unit: "ms", goal: 1)
      table.ratio("\(what) a volume: 500 there / none there", many, none, unit: "ms", goal: 1.5)
    }
  }

  /// A million extents and ten thousand volumes.
  private func measureCrowd(_ scene: EngineScene) throws {
    let file = try AIOFile(scene.file("crowd", bytes: (4 << 40) + (1 << 30), isSparse: true), on: scene.loop)
    let made = try scene.pool(on: file)
    for number in 0..<10_000 {
      try scene.loop.finish { made.createVolume(try volume(number), extents: .random(in: 1...80), $0) }
    }
    var opened: [Double] = []
    var pool = made
    for _ in 0..<max(3, repetitions) {
      let begin = scene.loop.now
      pool = try scene.loop.value { ExtentPool.open(on: file, $0) }
      opened.append((scene.loop.now - begin).milliseconds)
    }
    table.value(
      "open \(pool.extentCount) extents, \(pool.volumeCount) volumes", median(opened), unit: "ms", goal: 1000)
    var times = Times()
    for number in 10_000..<10_000 + repetitions * 100 {
      let name = try volume(number)
      times.create.append(try time(scene) { pool.createVolume(name, extents: .random(in: 1...80), $0) })
      let other = try volume(.random(in: number - 9_000..<number))
      if (try? pool.segments(of: other)) == nil { continue }
      times.extend.append(try time(scene) { pool.extendVolume(other, by: .random(in: 1...8), $0) })
      let old = try volume(number - 10_000)
      times.remove.append(try time(scene) { pool.removeVolume(old, $0) })
    }
    for (what, values) in [("create", times.create), ("extend", times.extend), ("remove", times.remove)] {
      table.value("\(what) a volume at random there", median(values), unit: "ms", goal: 1)
      table.value(
        "\(what) a volume at random there, the longest", values.max() ?? .nan, unit: "ms", goal: nil)
    }
  }

  private func time(_ scene: EngineScene, _ start: (@escaping (Failure?) -> Void) -> Void) throws -> Double {
    let begin = ContinuousClock.now
    try scene.loop.finish(start)
    return (ContinuousClock.now - begin).milliseconds
  }
}
