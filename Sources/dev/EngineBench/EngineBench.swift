import ArgumentParser
import BlockEngine
import ExtentPool
import Glibc
import HostInterface
import LinuxBlockDevices
import LinuxHost
import SystemPackage

/// The block engine beside fio on the same files, in process and through nbdkit.
struct EngineBench {
  enum Part: String, ExpressibleByArgument, CaseIterable { case process, nbd, resync, pool, memory }

  let repetitions: Int
  let time: Duration
  let table = BenchTable()
  /// Where files are, and of which size.
  private struct Place {
    let directory: String
    let name: String
    let size: Int
    /// What mirrored writes should reach of fio; in memory nothing, since fio writes with two processors there.
    let mirroredGoal: Double?
    /// What is read and written: the same bytes of the files for everybody.
    var area: Range<Int> { 64 << 20..<size - (64 << 20) }

    static let disk = Place(directory: "/var/tmp", name: "disk", size: 1 << 30, mirroredGoal: 0.9)
    /// A disk's speed varies more than what the engine costs; here it is seen.
    static let memory = Place(directory: "/dev/shm", name: "memory", size: 512 << 20, mirroredGoal: nil)
  }

  func measure(_ parts: [Part]) throws {
    if parts.contains(.process) {
      for place in [Place.disk, .memory] { try measureInProcess(place) }
    }
    if parts.contains(.nbd) { try measureServed() }
    if parts.contains(.resync) { try measureResync() }
    if parts.contains(.pool) { try PoolBench(repetitions: repetitions, table: table).measure() }
    if parts.contains(.memory) { try EngineMemory.measure(table) }
    table.show()
  }

  // MARK: In process

  private func measureInProcess(_ place: Place) throws {
    let scene = try EngineScene(in: place.directory)
    defer { scene.end() }
    let paths = try ["leg-0", "leg-1"].map { try scene.file($0, bytes: place.size) }
    let files = try paths.map { try AIOFile($0, on: scene.loop) }
    let mirror = try scene.mirror(files)
    let pool = try scene.pool(on: mirror)
    let name = try VolumeName("bench")
    try scene.loop.finish { pool.createVolume(name, extents: place.area.upperBound >> 22, $0) }
    let volume = try pool.attach(name)
    let fio = Fio(directory: scene.directory, area: place.area)
    let devices: [(String, any BlockDevice)] = [
      ("AIOFile", files[0]), ("Mirror", mirror), ("volume", volume),
    ]
    for workload in Workload.all {
      var rates: [String: [Double]] = [:]
      for _ in 0..<repetitions {
        rates["raw", default: []].append(try fio.rate(workload, files: [paths[0]], for: time))
        for (name, device) in devices {
          rates[name, default: []].append(
            try EngineLoad.rate(workload, on: device, area: place.area, loop: scene.loop, for: time))
        }
        if workload.direction == .write {
          // Of each file: half of what both get together.
          rates["both", default: []].append(try fio.rate(workload, files: paths, for: time) / 2)
        }
      }
      show(workload, in: place, rates.mapValues(median))
    }
    try scene.loop.finish { mirror.close($0) }
  }

  private func show(_ workload: Workload, in place: Place, _ rates: [String: Double]) {
    let isWrite = workload.direction == .write
    let raw = rates["raw"] ?? .nan
    let what = "\(place.name), \(workload.description)"
    table.speed("\(what): AIOFile / fio", rates["AIOFile"] ?? .nan, raw, goal: 0.95)
    for name in ["Mirror", "volume"] {
      let peer = isWrite ? "fio on both files" : "fio"
      table.speed(
        "\(what): \(name) / \(peer)", rates[name] ?? .nan,
        isWrite ? rates["both"] ?? .nan : raw,
        goal: isWrite ? place.mirroredGoal : 0.95)
    }
  }

  // MARK: Through nbdkit

  private func measureServed() throws {
    // In memory: nbdkit's own plugin knows no direct I/O, and here nobody's request meets a disk.
    let scene = try EngineScene(in: "/dev/shm")
    defer { scene.end() }
    let size = 256 << 20
    let area = 8 << 20..<200 << 20
    let raw = try scene.file("raw", bytes: size)
    let fio = Fio(directory: scene.directory, area: area)
    let programs = try LocalHost().readLink("/proc/self/exe").removingLastComponent()
    let environment = Dictionary(
      uniqueKeysWithValues: ["POOL", "RUNTIME", "LOCK"].map {
        ("QUARTET_\($0)_DIR", scene.directory.appending($0.lowercased()).string)
      })
    let quartet = programs.appending("quartet").string
    let plugin = programs.appending("libnbdkit-quartet-plugin.so").string
    let log = scene.directory.appending("quartet.log").string
    var servers = [("file", try NBDServer(["file", raw.string], directory: scene.directory))]
    for (name, pool, legs) in [("one leg", "one", ["single"]), ("two legs", "two", ["leg-0", "leg-1"])] {
      let files = try legs.flatMap { ["--leg", try scene.file($0, bytes: size).string] }
      for words in [
        ["create", pool] + files, ["create-volume", "\(pool)/bench", "--size", "\(area.upperBound)"],
      ] {
        _ = try Child.run([quartet, "pool"] + words, environment: environment, output: log)
      }
      let server = try NBDServer(
        [plugin, "pool=\(pool)"], environment: environment, directory: scene.directory)
      servers.append((name, server))
    }
    defer { for (_, server) in servers { server.end() } }
    for workload in Workload.all {
      var rates: [String: [Double]] = [:]
      for _ in 0..<repetitions {
        for (name, server) in servers {
          rates[name, default: []].append(try fio.rate(workload, export: server.uri, for: time))
        }
      }
      let typical = rates.mapValues(median)
      let peer = typical["file"] ?? .nan
      let what = "NBD, in memory, \(workload.description)"
      table.speed("\(what): plugin, one leg / nbdkit file", typical["one leg"] ?? .nan, peer, goal: 0.9)
      table.speed("\(what): plugin, two legs / nbdkit file", typical["two legs"] ?? .nan, peer, goal: nil)
    }
  }

  // MARK: Resync

  private func measureResync() throws {
    let scene = try EngineScene(in: "/var/tmp")
    defer { scene.end() }
    let paths = try ["leg-0", "leg-1"].map { try scene.file($0, bytes: Place.disk.size) }
    let files = try paths.map { try AIOFile($0, on: scene.loop) }
    var times: [String: [Double]] = [:]
    for _ in 0..<repetitions {
      let mirror = try scene.mirror(files, data: .ofFirstLeg)
      let begin = scene.loop.now
      try scene.loop.run { mirror.isInSync }
      times["resync", default: []].append((scene.loop.now - begin).milliseconds)
      try scene.loop.finish { mirror.close($0) }
      let copy = try Child.run([
        "dd", "if=\(paths[0])", "of=\(paths[1])", "bs=1M", "iflag=direct", "oflag=direct", "conv=notrunc",
      ])
      times["copy", default: []].append(copy.wall.milliseconds)
    }
    let gibibytes = Double(Place.disk.size) / Double(1 << 30)
    let rates = times.mapValues { gibibytes * 1000 / median($0) }
    table.speed(
      "resync of a whole leg / dd, direct, 1 MiB", rates["resync"] ?? .nan, rates["copy"] ?? .nan,
      unit: "GiB/s",
      goal: 0.8)
  }
}
