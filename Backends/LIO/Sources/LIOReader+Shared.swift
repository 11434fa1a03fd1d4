import HostInterface
import SystemPackage
import TargetCore

/// What is not of one target.
extension LIOReader {
  mutating func readBackstores() throws {
    for hba in try entries(LIOPaths.core) where hba != "alua" {
      let folder = "\(LIOPaths.core)/\(hba)"
      let devices = try entries(folder).filter { $0 != "hba_info" && $0 != "hba_mode" }
      if devices.isEmpty { state.facts[LIOFacts.unused(folder)] = "" }
      for name in devices {
        let device = "\(folder)/\(name)"
        guard uses[device] == nil else { continue }
        state.facts[LIOFacts.unused(device)] = try value(device + "/udev_path") ?? ""
      }
    }
    tellRemnants()
  }

  /// A backstore that no LUN shows, or an HBA without one, in the place of one of a target's logical units, is what a
  /// killed run left.
  private mutating func tellRemnants() {
    let unused = Set(state.facts.keys.compactMap { Backstore.index(unused: $0) })
    guard !unused.isEmpty else { return }
    for name in state.targets.keys {
      for lun in unused.compactMap({ Backstore.lun(of: name, index: $0) })
      where state.targets[name]?.units[lun] == nil {
        state.targets[name]?.units[lun] = LogicalUnit(lun: lun, backing: .none)
      }
    }
  }

  /// What the kernel stored of persistent reservations, below the folder that it says.
  mutating func readStoredReservations() throws {
    guard let root = try value(LIOPaths.root + "/dbroot"), root.hasPrefix("/") else { return }
    let folder = root + "/pr"
    if try host.status(FilePath(folder)) == nil {
      state.facts[LIOFacts.missingFolder] = folder
      if try host.status(FilePath(root)) == nil { state.facts[LIOFacts.missingRoot] = root }
      return
    }
    for name in try entries(folder) where name.hasPrefix("aptpl_") {
      guard let text = try? host.text(FilePath(folder + "/" + name)) else { continue }
      state.facts[LIOFacts.reservations(String(name.dropFirst("aptpl_".count)))] = text
    }
  }

  /// The kernel opens a SCSI device by its address, which is not to be seen in its name.
  mutating func readSCSIAddresses() throws {
    let folder = "/sys/class/scsi_device"
    for address in try entries(folder) {
      for kind in ["block", "scsi_generic"] {
        for device in try entries("\(folder)/\(address)/device/\(kind)") {
          state.facts[LIOFacts.scsi(device)] = address
        }
      }
    }
  }
}
