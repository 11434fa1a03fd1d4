import HostInterface
import TargetCore

extension STGTPlanner {
  /// Refuses pairs of device type and backing store that tgtd takes and that end it or damage its memory.
  ///
  /// Seen with tgt 1.0.85: `bstype=ssc` on what is no tape ends tgtd with signal 11, and a cd or changer on
  /// `bstype=null` overwrites memory. The others tgtd refuses itself, without a reason in its answer.
  func checkStore(of unit: LogicalUnit, at name: TargetName) throws {
    let place = "lun \(unit.lun) of \(name)"
    let type = unit.deviceType ?? .disk
    func refuse(_ why: String, _ remedy: String) -> Failure {
      Failure(.unsupported, place, why, remedy: remedy)
    }
    switch unit.store {
    case "ssc" where type != .tape:
      throw refuse("cannot use the store ssc, which is for tapes only", "use rdwr, or make it a tape")
    case "sg", "bsg":
      if type == .passthrough { return }
      throw refuse(
        "cannot use the store \(unit.store ?? ""), which passes SCSI commands through to a device",
        "say device type passthrough, or use rdwr")
    case "null" where type != .disk:
      throw refuse("cannot be a \(type.rawValue) without a backing store", "use another store than null")
    case "ssc": return
    case .some(let store) where type == .tape:
      throw refuse("cannot be a tape on the store \(store)", "use ssc, or leave the store out")
    default:
      if type == .passthrough {
        throw refuse("cannot pass commands through \(unit.store ?? "rdwr")", "use the store sg or bsg")
      }
    }
  }
}
