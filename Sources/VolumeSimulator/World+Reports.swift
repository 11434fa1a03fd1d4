/// What drbdsetup(8) and `/proc/drbd` print.
extension World {
  /// `drbdsetup events2 --now --statistics` of 8.4.
  func events(of node: String, only name: String?) -> String {
    var lines: [String] = []
    for resource in self[node].resources where name == nil || resource.name == name {
      let head = "name:\(resource.name)"
      let peer = "peer-node-id:0" + (resource.connection == .standAlone ? "" : " conn-name:peer")
      let role = resource.isPrimary ? "Primary" : "Secondary"
      let peerRole = resource.peerIsPrimary.map { $0 ? "Primary" : "Secondary" } ?? "Unknown"
      lines.append(
        "resource \(head) role:\(role) suspended:\(resource.isSuspended ? "user" : "no") write-ordering:flush"
      )
      lines.append(
        "connection \(head) \(peer) connection:\(resource.connection.rawValue) role:\(peerRole) congested:no")
      for volume in resource.volumes {
        let isNew = volume.state != .diskless && metadata(node, volume)?.current == Metadata.justCreated
        lines.append(
          "device \(head) volume:\(volume.number) minor:\(volume.minor) disk:\(volume.state.rawValue) "
            + "size:\(volume.size) read:0 written:0 al-writes:0 bm-writes:0 upper-pending:0 lower-pending:0 "
            + "al-suspended:\(isNew && resource.connection != .connected ? "yes" : "no") blocked:\(resource.isSuspended ? "upper" : "no")"
        )
      }
      for volume in resource.volumes {
        lines.append(
          "peer-device \(head) \(peer) volume:\(volume.number) replication:\(volume.replication) "
            + "peer-disk:\(volume.peerState.rawValue) resync-suspended:\(volume.paused) received:0 sent:0 "
            + "out-of-sync:\(volume.outOfSync) pending:0 unacked:0")
      }
    }
    return (lines + ["-"]).map { "exists \($0)\n" }.joined()
  }

  /// `/proc/drbd` of 8.4; nil while the module is not loaded.
  func proc(of node: String) -> String? {
    guard self[node].isModuleLoaded else { return nil }
    var text = "version: 8.4.11 (api:1/proto:86-101)\nsrcversion: F73C670A7EC572DB9CF3E5B \n"
    for resource in self[node].resources {
      for volume in resource.volumes.sorted(by: { $0.minor < $1.minor }) {
        let minor = String(repeating: " ", count: max(0, 2 - String(volume.minor).count)) + "\(volume.minor)"
        guard volume.disk != nil || resource.connection != .standAlone || resource.isPrimary else {
          text += "\(minor): cs:Unconfigured\n"
          continue
        }
        let peerRole = resource.peerIsPrimary.map { $0 ? "Primary" : "Secondary" } ?? "Unknown"
        let flags =
          (resource.isSuspended ? "s" : "r") + "-" + (volume.isPausedThere ? "p" : "-")
          + (volume.isPausedHere ? "u" : "-") + "--"
        text += "\(minor): cs:\(Self.connectionName(resource, volume)) "
        text += "ro:\(resource.isPrimary ? "Primary" : "Secondary")/\(peerRole) "
        text += "ds:\(volume.state.rawValue)/\(volume.peerState.rawValue) "
        text += "\(resource.connection == .standAlone ? " " : "C") \(flags)\n"
        text += "    ns:0 nr:0 dw:0 dr:0 al:0 bm:0 lo:0 pe:0 ua:0 ap:0 ep:1 wo:f oos:\(volume.outOfSync)\n"
        text += progress(volume)
      }
    }
    return text
  }

  /// The lines of a resync or a verification.
  private func progress(_ volume: RunningResource.Volume) -> String {
    let word: String
    switch volume.replication {
    case "SyncSource", "SyncTarget", "PausedSyncS", "PausedSyncT": word = "sync'ed:"
    case "VerifyS", "VerifyT": word = "verified:"
    default: return ""
    }
    let done = volume.size > 0 ? 1000 - Int(volume.outOfSync * 1000 / volume.size) : 1000
    return
      "\t[>....................] \(word) \(done / 10).\(done % 10)% (\(volume.outOfSync)/\(volume.size))K\n"
      + "\tfinish: 0:00:10 speed: 1,732 (1,732) K/sec\n"
  }
}
