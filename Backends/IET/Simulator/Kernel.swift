import SystemPackage

/// A connection as /proc/net/iet/session lists it.
struct KernelConnection {
  var id: UInt16
  /// As the kernel prints it: IPv6 in brackets and in full.
  var address: String
  var headerDigest = false
  var dataDigest = false
}

/// A session of the kernel's.
struct KernelSession {
  var sid: UInt64
  var initiator: String
  /// The newest first.
  var connections: [KernelConnection]
  var values: [UInt32]
}

/// A target of the kernel's.
struct KernelTarget {
  var tid: UInt32
  var name: String
  /// In the order in which they were added.
  var volumes: [KernelVolume] = []
  /// The newest first.
  var sessions: [KernelSession] = []
  var targetValues = SettingTable.target.map(\.standard)
  var sessionValues = SettingTable.session.map(\.standard)
}

/// The module iscsi_trgt: targets, logical units, parameters, sessions (kernel/config.c, target.c, volume.c, param.c).
struct Kernel {
  /// The newest first.
  var targets: [KernelTarget] = []
  /// The number given last to a target that named none; it only rises.
  private var lastID: UInt32 = 0

  func index(_ tid: UInt32) -> Int? { targets.firstIndex { $0.tid == tid } }

  private func existing(_ tid: UInt32) throws(Errno) -> Int {
    guard let index = index(tid) else { throw .invalidArgument }
    return index
  }

  /// Makes a target; 0 lets the kernel choose the number, which is used up even when the name is refused.
  mutating func addTarget(_ tid: UInt32, _ name: String) throws(Errno) -> UInt32 {
    guard tid == 0 || index(tid) == nil, !targets.contains(where: { $0.name == name }) else {
      throw .fileExists
    }
    var tid = tid
    if tid == 0 {
      repeat {
        lastID &+= 1
        if lastID == 0 { lastID = 1 }
      } while index(lastID) != nil
      tid = lastID
    }
    guard !name.isEmpty else { throw .invalidArgument }
    targets.insert(KernelTarget(tid: tid, name: name), at: 0)
    return tid
  }

  mutating func removeTarget(_ tid: UInt32) throws(Errno) {
    guard let index = index(tid) else { throw .noSuchFileOrDirectory }
    guard targets[index].sessions.isEmpty else { throw .resourceBusy }
    targets.remove(at: index)
  }

  /// What happens when whoever has the control device open closes it.
  mutating func removeAll() {
    targets = []
    lastID = 0
  }

  mutating func addVolume(
    _ tid: UInt32, _ lun: UInt32, _ parameters: String, _ version: IETVersion,
    _ look: (String) -> FoundBacking?
  ) throws(Errno) {
    let index = try existing(tid)
    guard !targets[index].volumes.contains(where: { $0.lun == lun }) else { throw .fileExists }
    guard lun <= 0x3fff else { throw .invalidArgument }
    targets[index].volumes.append(try KernelVolume(lun, parameters, version, look))
  }

  /// A unit with commands under way stays, marked, until the last has ended.
  mutating func removeVolume(_ tid: UInt32, _ lun: UInt32) throws(Errno) {
    let index = try existing(tid)
    guard let volume = targets[index].volumes.firstIndex(where: { $0.lun == lun }) else {
      throw .noSuchFileOrDirectory
    }
    if targets[index].volumes[volume].commands > 0 {
      targets[index].volumes[volume].isDeleted = true
    } else {
      targets[index].volumes.remove(at: volume)
    }
  }

  /// The parameters that new sessions of a target begin with, or those of a session.
  func sessionValues(_ tid: UInt32, _ sid: UInt64) throws(Errno) -> [UInt32] {
    let index = try existing(tid)
    if sid == 0 { return targets[index].sessionValues }
    guard let session = targets[index].sessions.first(where: { $0.sid == sid }) else {
      throw .noSuchFileOrDirectory
    }
    return session.values
  }

  func targetValues(_ tid: UInt32) throws(Errno) -> [UInt32] { targets[try existing(tid)].targetValues }

  mutating func setSessionValues(_ tid: UInt32, _ changes: [Int: UInt32]) throws(Errno) {
    let index = try existing(tid)
    for (key, value) in changes {
      targets[index].sessionValues[key] = SettingTable.session[key].kernelChecked(value)
    }
  }

  mutating func setTargetValues(_ tid: UInt32, _ changes: [Int: UInt32]) throws(Errno) {
    let index = try existing(tid)
    for (key, value) in changes {
      targets[index].targetValues[key] = SettingTable.target[key].kernelChecked(value)
    }
  }

  /// Closes a connection; its session goes with the last one.
  mutating func removeConnection(_ tid: UInt32, _ sid: UInt64, _ cid: UInt32) throws(Errno) -> KernelSession {
    let index = try existing(tid)
    guard let position = targets[index].sessions.firstIndex(where: { $0.sid == sid }) else {
      throw .noSuchFileOrDirectory
    }
    let session = targets[index].sessions[position]
    guard session.connections.contains(where: { UInt32($0.id) == cid }) else { throw .fileExists }
    targets[index].sessions[position].connections.removeAll { UInt32($0.id) == cid }
    if targets[index].sessions[position].connections.isEmpty { targets[index].sessions.remove(at: position) }
    return session
  }
}

extension Kernel {
  /// What /proc/net/iet/volume shows of each target.
  func volumeRecords(_ version: IETVersion) -> [String] {
    targets.map { target in
      Self.head(target) + target.volumes.map { "\t" + $0.text(version) + "\n" }.joined()
    }
  }

  /// What /proc/net/iet/session shows of each target.
  var sessionRecords: [String] {
    targets.map { target in
      Self.head(target)
        + target.sessions.map { session in
          "\tsid:\(session.sid) initiator:\(session.initiator)\n"
            + session.connections.map { connection in
              "\t\tcid:\(connection.id) ip:\(connection.address) state:active "
                + "hd:\(connection.headerDigest ? "crc32c" : "none") "
                + "dd:\(connection.dataDigest ? "crc32c" : "none")\n"
            }.joined()
        }.joined()
    }
  }

  private static func head(_ target: KernelTarget) -> String { "tid:\(target.tid) name:\(target.name)\n" }
}
