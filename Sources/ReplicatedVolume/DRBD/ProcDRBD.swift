import HostInterface

/// Reads `/proc/drbd` of 8.4, which alone tells how far a resync is and how fast.
///
/// Source: drbd_proc.c of Linux 6.1. On 9 the file has the versions only. Lines of a device:
///
///      0: cs:SyncSource ro:Primary/Secondary ds:UpToDate/Inconsistent C r-----
///         ns:1732 nr:0 dw:0 dr:1732 al:8 ... oos:260368
///             [>....................] sync'ed:  1.6% (260368/262100)K
///             finish: 0:02:10 speed: 1,732 (1,732) K/sec
enum ProcDRBD {
  /// How far the devices are, by their minors; those without a resync or verification are not in it.
  static func progress(_ text: String) -> [UInt32: ResourceStatus.Progress] {
    var found: [UInt32: ResourceStatus.Progress] = [:]
    var minor: UInt32?
    for line in text.split(separator: "\n") {
      let words = line.split(whereSeparator: \.isWhitespace)
      if let first = words.first, first.hasSuffix(":"), let number = UInt32(first.dropLast()) {
        minor = number
      }
      guard let minor else { continue }
      // `sync'ed: 1.6%`, `verified: 9.4%`; the per cent may stand apart from the colon or not.
      if let place = words.firstIndex(where: { ["sync'ed:", "verified:"].contains($0) }),
        words.indices.contains(place + 1), let percent = Double(words[place + 1].filter { $0 != "%" }),
        (0...100).contains(percent)
      {
        found[minor] = ResourceStatus.Progress(fraction: percent / 100)
      }
      guard found[minor] != nil else { continue }
      if let place = words.firstIndex(of: "finish:"), words.indices.contains(place + 1) {
        found[minor]?.secondsLeft = seconds(words[place + 1])
      }
      if let place = words.firstIndex(of: "speed:"), words.indices.contains(place + 1) {
        found[minor]?.rate = UInt64(words[place + 1].filter { $0 != "," })?.bytesOfKiB
      }
    }
    return found
  }

  /// `HOURS:MINUTES:SECONDS`.
  private static func seconds(_ text: Substring) -> UInt64? {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map { UInt64($0) }
    guard parts.count == 3, let hours = parts[0], let minutes = parts[1], let seconds = parts[2],
      hours < 1 << 32, minutes < 60, seconds < 60
    else { return nil }
    return hours * 3600 + minutes * 60 + seconds
  }
}
