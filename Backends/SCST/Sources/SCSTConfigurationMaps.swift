import HostInterface
import TargetCore

/// One map of a target in the file.
struct SCSTMap {
  var group: String?
  var initiators: [ISCSIName] = []
  var units: [LUN: (device: String, isReadOnly: Bool, line: Int)] = [:]

  init(group: String?) { self.group = group }

  /// Makes logical units and those who see them of the maps of a target.
  ///
  /// - Throws: ``Failure`` with code `unsupported` where a LUN is one device for some initiators and another for others.
  static func merge(_ maps: [SCSTMap], devices: [String: LogicalUnit], into spec: inout TargetSpec) throws {
    let isOpen = maps.contains { ($0.group == nil && !$0.units.isEmpty) || $0.group == Place.marker }
    let named = maps.filter { !$0.initiators.isEmpty }
    let initiators = Set(named.flatMap(\.initiators))
    spec.initiators = (isOpen ? [.all] : []) + initiators.sorted().map(Initiator.name)
    var units: [LUN: LogicalUnit] = [:]
    var shown: [LUN: String] = [:]
    for map in maps {
      for (lun, entry) in map.units.sorted(by: { $0.key < $1.key }) {
        if let other = shown[lun], other != entry.device {
          throw Failure(
            .unsupported, "scst.conf line \(entry.line)",
            "makes lun \(lun) of \(spec.name) the device \(entry.device) for some initiators and \(other) for others",
            remedy: "give them different luns, or make two targets")
        }
        shown[lun] = entry.device
        guard var unit = devices[entry.device] else { continue }
        unit.lun = lun
        if entry.isReadOnly { (unit.readOnly, unit.cache) = (true, nil) }
        units[lun] = unit
      }
    }
    for lun in units.keys {
      let seeing = Set(named.filter { $0.units[lun] != nil }.flatMap(\.initiators))
      let isForAll = isOpen && maps.contains { $0.group == nil && $0.units[lun] != nil }
      if (!isOpen || isForAll) && seeing == initiators { continue }
      units[lun]?.initiators = (isForAll ? [.all] : []) + seeing.sorted().map(Initiator.name)
    }
    spec.units = units.values.sorted { $0.lun < $1.lun }
  }
}
