import HostInterface
import SystemPackage
import TargetCore

extension SCSTReader {
  /// One map of logical units, and who sees it.
  private struct Map {
    var place: Place
    var initiators: [ISCSIName]
    /// The devices of its logical units, with whether this map shows them read-only; without devices where they
    /// were not asked for.
    var units: [LUN: (device: String, isReadOnly: Bool)?]
  }

  /// Reads the target's own map and those of its groups: they are its logical units, and who may log in.
  mutating func readPlaces(into target: inout Target) async throws {
    let name = target.name
    var maps = [try await readMap(.everyone, [], of: name)]
    if !maps[0].units.isEmpty { target.initiators.insert(.all) }
    var groups: [String] = []
    for group in try entries(SCSTPaths.target(name) + "/ini_groups") where group != "mgmt" {
      guard group.utf8.count <= 255 else {
        // SCST makes it, and no file system takes a path with such a name.
        state.remarks.append(
          "target \(name) has a group with a name over 255 bytes, which cannot be looked into")
        continue
      }
      if group == Place.marker {
        target.initiators.insert(.all)
        state.facts[SCSTFact.members(name, group)] = ""
        continue
      }
      let initiators = readInitiators(of: group, name)
      let map = try await readMap(.group(group), initiators, of: name)
      // What nobody is in and what shows nothing is an empty room, or what a run left behind that was killed.
      if map.units.isEmpty, initiators.isEmpty, map.place == .nobody || ISCSIName.isInitiator(group) {
        continue
      }
      groups.append(group)
      state.facts[SCSTFact.members(name, group)] = initiators.map(\.description).joined(separator: "\n")
      for initiator in initiators {
        target.initiators.insert(.name(initiator))
        noteMembership(of: initiator, in: group, name)
      }
      maps.append(map)
    }
    dropStaleRoom(&maps, &groups, of: name)
    if !groups.isEmpty { state.facts[SCSTFact.groups(name)] = groups.joined(separator: "\n") }
    try await takeUnits(from: maps, into: &target)
    readAudiences(maps, into: &target)
  }

  /// What is shown elsewhere is in the room of what nobody sees because a run was killed; it does no harm there.
  private mutating func dropStaleRoom(_ maps: inout [Map], _ groups: inout [String], of name: TargetName) {
    guard case .group(let room) = Place.nobody, let index = maps.firstIndex(where: { $0.place == .nobody })
    else {
      return
    }
    // A group that has no initiators yet shows nothing to anyone; who comes in takes the room's away.
    let others = maps.filter { $0.place == .everyone || !$0.initiators.isEmpty }
    let shown = Set(others.flatMap(\.units.keys))
    for lun in maps[index].units.keys where shown.contains(lun) {
      maps[index].units[lun] = nil
      state.facts[SCSTFact.mapped(name, .nobody, lun)] = nil
    }
    note(maps[index], of: name)
    guard maps[index].units.isEmpty else { return }
    maps.remove(at: index)
    groups.removeAll { $0 == room }
    state.facts[SCSTFact.members(name, room)] = nil
  }

  private mutating func readInitiators(of group: String, _ name: TargetName) -> [ISCSIName] {
    let names: [String]
    do {
      names = try entries(SCSTPaths.group(name, group) + "/initiators")
    } catch {
      // A slash in a name: the directory cannot be listed until that name is gone.
      state.remarks.append("the initiators of group \(group) of target \(name) cannot be listed")
      return []
    }
    return names.filter { $0 != "mgmt" }.compactMap { entry in
      if let initiator = ISCSIName(asFound: entry) { return initiator }
      state.remarks.append(
        "group \(group) of target \(name) has an initiator that cannot be handled (\(entry))")
      return nil
    }
  }

  private mutating func noteMembership(of initiator: ISCSIName, in group: String, _ name: TargetName) {
    let key = SCSTFact.groups(name, of: initiator)
    if let other = state.facts[key] {
      state.remarks.append(
        "initiator \(initiator) is in groups \(other.split(separator: "\n").joined(separator: ", ")) and \(group) "
          + "of target \(name); SCST takes the first that it finds")
      state.facts[key] = other + "\n" + group
    } else {
      state.facts[key] = group
    }
  }

  private mutating func readMap(_ place: Place, _ initiators: [ISCSIName], of name: TargetName) async throws
    -> Map
  {
    var map = Map(place: place, initiators: initiators, units: [:])
    for entry in try entries(place.luns(of: name)) {
      guard let number = Int(entry), let lun = try? LUN(number) else { continue }
      guard detail.units.contains(name) else {
        map.units[lun] = .some(nil)
        continue
      }
      let path = place.unit(lun, of: name)
      guard let device = linkName(path + "/device") else { continue }
      let isReadOnly = try await value(path + "/read_only") == "1"
      map.units[lun] = (device, isReadOnly)
      state.facts[SCSTFact.mapped(name, place, lun)] = device + (isReadOnly ? " read_only" : "")
    }
    note(map, of: name)
    return map
  }

  private mutating func note(_ map: Map, of name: TargetName) {
    let lines = map.units.compactMapValues { $0 }.sorted { $0.key < $1.key }.map { lun, shown in
      "\(lun) \(shown.device)" + (shown.isReadOnly ? " read_only" : "")
    }
    state.facts[SCSTFact.map(name, map.place)] = lines.isEmpty ? nil : lines.joined(separator: "\n")
  }

  /// The first map that has a LUN decides what it is; a map that shows another device there is left alone.
  private mutating func takeUnits(from maps: [Map], into target: inout Target) async throws {
    let name = target.name
    for map in maps {
      for (lun, shown) in map.units.sorted(by: { $0.key < $1.key }) {
        guard let shown else {
          if target.units[lun] == nil { target.units[lun] = LogicalUnit(lun: lun, backing: .unread) }
          continue
        }
        let key = SCSTFact.device(name, lun)
        if let device = state.facts[key], device != shown.device {
          state.facts[SCSTFact.mapped(name, map.place, lun)] = nil
          state.remarks.append(
            "lun \(lun) of target \(name) is another device (\(shown.device)) for the initiators of "
              + "\(map.place.word), which is left alone")
          continue
        }
        uses[shown.device, default: 0] += map.place == .nobody ? 0 : 1
        guard target.units[lun] == nil else {
          // It is read-only when all see it so.
          if !shown.isReadOnly { target.units[lun]?.readOnly = false }
          continue
        }
        state.facts[key] = shown.device
        var unit: LogicalUnit
        if let known = devices[shown.device] {
          unit = known
        } else {
          unit = try await readDevice(shown.device)
          devices[shown.device] = unit
        }
        unit.lun = lun
        unit.readOnly = shown.isReadOnly
        if unit.readOnly == true { unit.cache = nil }
        if detail.parameters.contains(name) {
          unit.attributes = try await readAttributes(of: shown.device, unit)
          unit.reservation = try await readReservation(of: shown.device)
        }
        target.units[lun] = unit
      }
    }
  }

  /// A logical unit that everyone sees who may log in has no list of its own.
  private func readAudiences(_ maps: [Map], into target: inout Target) {
    let isOpen = target.initiators.contains(.all)
    let named = maps.filter { !$0.initiators.isEmpty }
    for lun in target.units.keys {
      func shows(_ map: Map) -> Bool {
        guard let shown = map.units[lun] else { return false }
        return shown.map { $0.device == state.facts[SCSTFact.device(target.name, lun)] } ?? true
      }
      let seeing = named.filter(shows).flatMap(\.initiators)
      let isForAll = isOpen && maps.first.map(shows) == true
      if (!isOpen || isForAll) && Set(seeing).count == Set(named.flatMap(\.initiators)).count { continue }
      target.units[lun]?.initiators = (isForAll ? [.all] : []) + seeing.sorted().map(Initiator.name)
    }
  }

  /// What a device is, as a logical unit.
  private mutating func readDevice(_ device: String) async throws -> LogicalUnit {
    let path = SCSTPaths.device(device)
    var unit = LogicalUnit(lun: try LUN(0), backing: .none)
    unit.store = linkName(path + "/handler")
    let handler = unit.store.flatMap(SCSTHandler.init(rawValue:))
    switch handler {
    case .disk:
      // SCST calls a local disk by its address, and so is its node for any command.
      unit.backing = .path("/dev/bsg/\(device)")
      unit.deviceType = .passthrough
      return unit
    case .cdrom: unit.deviceType = .cd
    default: unit.deviceType = .disk
    }
    if let filename = try await value(path + "/filename"), filename.hasPrefix("/") {
      unit.backing = .path(filename)
    }
    unit.size = try await value(path + "/size").flatMap { UInt64($0) }
    unit.blockSize = try await value(path + "/blocksize").flatMap { UInt32($0) }
    if let text = try await value(path + "/write_through") { unit.cache = text == "1" ? .through : .back }
    unit.thin = try await value(path + "/thin_provisioned").map { $0 == "1" }
    unit.removable = try await value(path + "/removable").map { $0 == "1" }
    unit.online = try await value(path + "/active").map { $0 == "1" }
    unit.scsiID = try await value(path + "/t10_dev_id")
    unit.serial = try await value(path + "/usn")
    unit.vendor = try await value(path + "/t10_vend_id")
    unit.product = try await value(path + "/prod_id")
    unit.revision = try await value(path + "/prod_rev_lvl")
    return unit
  }

  /// Every file of a device that is a setting and no field: those that are known, and of others those that differ
  /// from what the device has by itself.
  func readAttributes(of device: String, _ unit: LogicalUnit) async throws -> [String: String] {
    var attributes = [SCSTAttributes.name: device]
    guard unit.deviceType != .passthrough else { return attributes }
    let path = SCSTPaths.device(device)
    for file in try entries(path) where !SCSTAttributes.passedOver.contains(file) {
      if file == "size", unit.store != SCSTHandler.nullio.rawValue { continue }
      if SCSTAttributes.all[file] != nil {
        attributes[file] = try await value("\(path)/\(file)")
      } else if let text = try? text("\(path)/\(file)"), text.contains("\n[key]\n") {
        attributes[file] = String(text.prefix { $0 != "\n" })
      }
    }
    return attributes
  }

  /// The persistent reservation: `pr_state` has two lines where there is none.
  private func readReservation(of device: String) async throws -> String? {
    guard let text = try? text(SCSTPaths.device(device) + "/pr_state") else { return nil }
    let lines = text.split(separator: "\n").dropFirst(2)
    return lines.isEmpty ? nil : lines.joined(separator: "; ")
  }
}
