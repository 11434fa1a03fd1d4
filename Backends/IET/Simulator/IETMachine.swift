import Glibc
import SystemPackage

/// The kernel's module and the daemon above it: what requests of ietadm and lines of ietd.conf do to the two.
struct IETMachine {
  var version: IETVersion
  var kernel = Kernel()
  var daemon: Daemon?
  /// Whether a connection waits for a device that hangs, which stops everything that looks at the kernel's lists.
  var isFrozen = false
  /// Devices that answer nothing.
  var suspended: Set<String> = []
  /// Whether whoever runs commands is root.
  var callerIsRoot = true
  var initiators = InitiatorSide()

  mutating func addTarget(_ tid: UInt32, _ name: String) throws(AdminError) {
    guard daemon?.target(named: name) == nil else { throw AdminError(.invalidArgument) }
    do {
      let tid = try kernel.addTarget(tid, name)
      daemon?.targets.insert(Daemon.Target(tid: tid, name: name), at: 0)
    } catch {
      throw AdminError.anything
    }
  }

  /// Deletes a target in the kernel and in ietd; one that only one of the two knows is forgotten by that.
  mutating func removeTarget(_ tid: UInt32) throws(AdminError) {
    let isKnown = daemon?.targets.contains { $0.tid == tid } == true
    if version == .january2010, let index = kernel.index(tid), !kernel.targets[index].sessions.isEmpty {
      throw AdminError.death
    }
    do {
      try kernel.removeTarget(tid)
    } catch .noSuchFileOrDirectory where isKnown {
    } catch {
      throw AdminError(error)
    }
    daemon?.forget(tid)
  }

  /// Closes what ietd had open: the kernel removes everything.
  mutating func endDaemon() {
    daemon = nil
    kernel.removeAll()
    isFrozen = false
  }

  /// `--op delete`: closes all connections, and then deletes targets while it reads their list, which moves under it.
  mutating func stopAll() {
    for index in kernel.targets.indices { kernel.targets[index].sessions = [] }
    var reader = SeqFile()
    var pending = ""
    while let part = reader.read(1024, kernel.sessionRecords) {
      pending += part
      while let end = pending.firstIndex(of: "\n") {
        let line = pending[..<end]
        pending = String(pending[end...].dropFirst())
        if line.hasPrefix("tid:") {
          try? kernel.removeTarget(UInt32(strtoul(String(line.dropFirst(4)), nil, 10)))
        }
      }
    }
  }
}

/// A list in /proc that is read part by part while it changes (fs/seq_file.c): what was shown but did not fit into a part
/// comes with the next, and the list goes on at the same number of records.
struct SeqFile {
  private var kept = ""
  private var index = 0

  /// The next part of at most `size` bytes; nil at the end.
  mutating func read(_ size: Int, _ records: [String]) -> String? {
    let begin = kept.prefix(size)
    kept.removeFirst(begin.count)
    var text = String(begin)
    while text.utf8.count + kept.utf8.count < size, index < records.count {
      kept += records[index]
      index += 1
    }
    let more = kept.prefix(size - text.count)
    kept.removeFirst(more.count)
    text += more
    return text.isEmpty ? nil : text
  }
}
