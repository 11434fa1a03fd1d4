import HostInterface

/// Whether two nodes stand alone because each wrote what the other has not.
///
/// 8.4 tells it in the kernel's log only: `block drbd0: Split-Brain detected but unresolved, dropping connection!`
/// (drbd_receiver.c of Linux 6.1; on 9 the line begins with `drbd NAME/VOLUME drbd0 PEER:`).
enum SplitBrain {
  /// Whether the log tells it of one of these minors, and of no connection since.
  static func isTold(of minors: [UInt32], in log: String) -> Bool {
    var told = false
    for line in log.split(separator: "\n") {
      let words = line.split(whereSeparator: { $0.isWhitespace || $0 == ":" })
      guard minors.contains(where: { words.contains("drbd\($0)") }) else { continue }
      if words.contains("Split-Brain") { told = true }
      // Only nodes that agree on who has the newer data exchange bitmaps.
      if line.contains("-> WFBitMap") || line.contains("WFBitMapS ->") || line.contains("WFBitMapT ->") {
        told = false
      }
    }
    return told
  }
}

extension ResourceStatus {
  /// Adds what `/proc/drbd` tells of progress; it has one line a device, so that 8.4's one peer is meant.
  mutating func add(_ progress: [UInt32: Progress]) {
    for volume in volumes {
      guard let known = progress[volume.minor] else { continue }
      for peer in peers.indices {
        for index in peers[peer].volumes.indices where peers[peer].volumes[index].number == volume.number {
          peers[peer].volumes[index].progress = known
        }
      }
    }
  }
}
