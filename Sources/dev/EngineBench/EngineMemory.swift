import ArgumentParser
import BlockEngine
import ExtentPool
import HostInterface
import LinuxBlockDevices
import LinuxHost
import SystemPackage

/// How much memory the engine takes for huge devices, each measured in a process of its own.
enum EngineMemory {
  static func measure(_ table: BenchTable) throws {
    let scene = try EngineScene(in: "/var/tmp")
    defer { scene.end() }
    // What ext4 allows with blocks of 4 KiB, short of one block.
    let paths = try ["huge-0", "huge-1"].map { try scene.file($0, bytes: (16 << 40) - 4096, isSparse: true) }
    let program = try LocalHost().readLink("/proc/self/exe").string
    let output = scene.directory.appending("memory.out")
    for (what, step) in [
      ("made, with a pool of 4 MiB extents", "make"), ("opened", "open"),
      ("with a leg missing, written to", "missing"),
      ("resyncing that leg", "resync"),
    ] {
      _ = try? FileDescriptor.open(
        output, .writeOnly, options: [.create, .truncate], permissions: .ownerReadWrite
      )
      .close()
      let usage = try Child.run(
        [program, "engine-memory", step] + paths.map(\.string), output: output.string)
      let last = try LocalHost().text(output).split(separator: "\n").last.flatMap { Double($0) } ?? .nan
      table.value("mirror of 16 TiB \(what): peak memory", last / 1024, unit: "MiB", goal: 64)
      table.value("mirror of 16 TiB \(what): time", usage.wall.milliseconds, unit: "ms", goal: nil)
    }
  }
}

struct EngineMemoryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "engine-memory", abstract: "One step of the bench of memory.", shouldDisplay: false)

  @Argument var step: String
  @Argument var paths: [String]

  func run() throws {
    let loop = try AIOLoop()
    var files: [any BlockDevice] = try paths.map { try AIOFile(FilePath($0), on: loop) }
    var options = MirrorOptions()
    if step == "missing" {
      options.allowsMissingLegs = true
      files.removeLast()
    }
    let id = (0..<16).map { UInt8($0) }
    if step == "make" {
      try loop.finish {
        Mirror.create(on: files, id: id, data: .identical, random: { .random(in: 1 ... .max) }, $0)
      }
    }
    let mirror: Mirror = try loop.value {
      Mirror.open(on: files, clock: loop, options: options, random: { .random(in: 1 ... .max) }, $0)
    }
    let pool: ExtentPool = try loop.value {
      if step == "make" { ExtentPool.create(on: mirror, id: id, $0) } else { ExtentPool.open(on: mirror, $0) }
    }
    let name = try VolumeName("huge")
    if step == "make" { try loop.finish { pool.createVolume(name, extents: pool.freeCount, $0) } }
    let volume = try pool.attach(name)
    if step == "missing" {
      // Ten thousand blocks far from one another, which takes more pages of the bitmap than memory may have.
      let buffer = BlockBuffer(count: 4096)
      for number in 0..<10_000 {
        let offset = volume.size / 4096 / 10_000 * number * 4096
        try loop.finish { volume.submit(.write(offset: offset, buffer, durable: false), $0) }
      }
    }
    // A while only: the whole resync is long.
    if step == "resync" {
      let end = loop.now + .seconds(3)
      loop.schedule(after: .seconds(3)) {}
      try loop.run { loop.now >= end || mirror.isInSync }
    } else {
      try loop.finish { mirror.close($0) }
    }
    let status = try LocalHost().text("/proc/self/status").split(separator: "\n")
    let peak = status.first { $0.hasPrefix("VmHWM:") }?.split(separator: " ").dropFirst().first ?? "nan"
    print(peak)
  }
}
