import Glibc
import HostInterface
import LinuxHost
import SystemPackage

/// What is read or written, and how.
struct Workload {
  enum Direction: String { case read, write }

  let direction: Direction
  let isRandom: Bool
  let blockSize: Int
  let depth: Int

  var description: String {
    let kind = blockSize >= 1 << 20 ? "\(blockSize >> 20) MiB" : "\(blockSize >> 10) KiB"
    return "\(isRandom ? "random" : "sequential") \(kind) \(direction)s, depth \(depth)"
  }

  /// By fio's name.
  var mode: String { (isRandom ? "rand" : "") + direction.rawValue }

  static let all: [Workload] = [Direction.read, .write].flatMap { direction in
    [
      Workload(direction: direction, isRandom: true, blockSize: 4096, depth: 1),
      Workload(direction: direction, isRandom: true, blockSize: 4096, depth: 32),
      Workload(direction: direction, isRandom: false, blockSize: 1 << 20, depth: 1),
      Workload(direction: direction, isRandom: false, blockSize: 1 << 20, depth: 8),
    ]
  }
}

/// Runs fio(1) on a part of files or of NBD exports.
struct Fio {
  let directory: FilePath
  /// The part, in bytes.
  let area: Range<Int>

  /// How many requests a second fio does on files by libaio without the page cache: on all of them together, each with
  /// a job of its own.
  func rate(_ workload: Workload, files: [FilePath], for time: Duration) throws -> Double {
    try rate(workload, ["--ioengine=libaio", "--direct=1"], files.map { "--filename=\($0)" }, time)
  }

  /// The same on an NBD export, by one connection.
  func rate(_ workload: Workload, export uri: String, for time: Duration) throws -> Double {
    try rate(workload, ["--ioengine=nbd", "--uri=\(uri)"], [""], time)
  }

  private func rate(
    _ workload: Workload, _ engine: [String], _ jobs: [String], _ time: Duration
  ) throws -> Double {
    let output = directory.appending("fio.out")
    unlink(output.string)
    let words =
      ["fio", "--output-format=terse", "--terse-version=3", "--group_reporting"] + engine + [
        "--rw=\(workload.mode)", "--bs=\(workload.blockSize)", "--iodepth=\(workload.depth)",
        "--offset=\(area.lowerBound)", "--size=\(area.count)", "--time_based",
        "--runtime=\(Int(time.milliseconds))ms",
      ] + jobs.enumerated().flatMap { number, job in ["--name=job\(number)"] + (job.isEmpty ? [] : [job]) }
    _ = try Child.run(words, output: output.string)
    // Fields by fio's HOWTO, "Terse output": 8 is the requests a second of reads, 49 of writes.
    let lines = try LocalHost().text(output).split(separator: "\n")
    let fields = lines.last { $0.hasPrefix("3;") }?.split(separator: ";", omittingEmptySubsequences: false)
    let field = workload.direction == .read ? 7 : 48
    guard let fields, fields.count > field, let rate = Double(fields[field]), rate > 0 else {
      throw Failure(.garbled, "fio", "told no rate", remedy: "see \(output)")
    }
    return rate
  }
}
