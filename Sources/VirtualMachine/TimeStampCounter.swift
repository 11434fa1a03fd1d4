internal import CTimeStampCounter
import Glibc

/// The host's time-stamp counter, which is the guest's where QEMU emulates it.
enum TimeStampCounter {
  /// Its frequency in kHz, for the kernel's `tsc_early_khz` (Documentation/admin-guide/kernel-parameters.txt).
  ///
  /// A guest on a busy host cannot find it out: it compares the counter with an emulated timer, gives up, and
  /// then waits for ever for ticks that nothing counts.
  static let kilohertz: UInt64 = {
    let start = sample()
    while sample().nanoseconds - start.nanoseconds < 20_000_000 { usleep(1000) }
    let end = sample()
    return (end.count - start.count) * 1_000_000 / (end.nanoseconds - start.nanoseconds)
  }()

  /// The counter and the clock at one moment: of several readings the one that took the least time.
  private static func sample() -> (nanoseconds: UInt64, count: UInt64) {
    let readings = (0..<20).map { _ in
      let (before, count, after) = (nanoseconds(), time_stamp_counter(), nanoseconds())
      return (nanoseconds: before + (after - before) / 2, count: count, took: after - before)
    }
    let best = readings.min { $0.took < $1.took }
    return best.map { ($0.nanoseconds, $0.count) } ?? (0, 0)
  }

  private static func nanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC_RAW, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}
