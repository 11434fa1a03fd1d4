import HostInterface
import Quartet
import TargetCore

extension Conformance {
  /// What is set is what is read, for everything that the capabilities list, with two values each.
  static let readBack: [ConformanceCase] = [
    ConformanceCase("read-back: each field of a new logical unit") { trial in
      let name = try trial.samples.name()
      try await trial.implementation.perform([.createTarget(name, id: nil)])
      for field in UnitField.allCases where trial.capabilities.unitFields[field] != nil {
        guard let values = trial.samples.values(of: field) else { continue }
        for value in values {
          var unit = try await trial.samples.unit()
          unit[field] = value
          try await trial.implementation.perform([.addUnit(name, unit)])
          try trial.expectHolds(unit, await trial.read().targets[name]?.units[unit.lun])
          try await trial.implementation.perform([.removeUnit(name, unit.lun, force: false)])
        }
      }
    },
    ConformanceCase("read-back: each attribute of a new logical unit") { trial in
      let name = try trial.samples.name()
      try trial.require(!trial.world.unitAttributes.isEmpty, otherwise: "this world names no such attributes")
      try await trial.implementation.perform([.createTarget(name, id: nil)])
      for (attribute, values) in trial.world.unitAttributes.sorted(by: { $0.key < $1.key }) {
        for value in values {
          var unit = try await trial.samples.unit()
          unit.attributes[attribute] = value
          try await trial.implementation.perform([.addUnit(name, unit)])
          try trial.expectHolds(unit, await trial.read().targets[name]?.units[unit.lun])
          try await trial.implementation.perform([.removeUnit(name, unit.lun, force: false)])
        }
      }
    },
    ConformanceCase("read-back: each session parameter") { trial in
      let name = try trial.samples.name()
      try await trial.implementation.perform([.createTarget(name, id: nil)])
      for parameter in trial.capabilities.parameters.keys.sorted() {
        for value in trial.samples.values(of: parameter) ?? [] {
          try await trial.implementation.perform([.setParameter(name, parameter, value)])
          let now = try await trial.read().targets[name]?.parameters[parameter]
          try trial.expect(
            now == trial.reading(parameter, value), "\(parameter.rawValue) is \(now as Any), not \(value)")
        }
      }
    },
    ConformanceCase("read-back: the ends of each session parameter's range") { trial in
      let name = try trial.samples.name()
      try await trial.implementation.perform([.createTarget(name, id: nil)])
      for (parameter, domain) in trial.capabilities.parameters.sorted(by: { $0.key < $1.key }) {
        guard case .number(let range) = domain else { continue }
        for value in [range.lowerBound, range.upperBound] {
          try await trial.implementation.perform([.setParameter(name, parameter, "\(value)")])
          let now = try await trial.read().targets[name]?.parameters[parameter]
          try trial.expect(now == "\(value)", "\(parameter.rawValue) is \(now as Any), not \(value)")
        }
      }
    },
    ConformanceCase("read-back: both orders of digests") { trial in
      let name = try trial.samples.name()
      try await trial.implementation.perform([.createTarget(name, id: nil)])
      for parameter in [SessionParameter.headerDigest, .dataDigest]
      where trial.capabilities.parameters[parameter] == .digests {
        for value in ["CRC32C,None", "None", "None,CRC32C", "CRC32C"] {
          try await trial.implementation.perform([.setParameter(name, parameter, value)])
          let now = try await trial.read().targets[name]?.parameters[parameter]
          try trial.expect(
            now == trial.reading(parameter, value), "\(parameter.rawValue) is \(now as Any), not \(value)")
        }
      }
    },
    ConformanceCase("read-back: each attribute of a target") { trial in
      let name = try trial.samples.name()
      try trial.require(
        !trial.world.targetAttributes.isEmpty, otherwise: "this world names no such attributes")
      try await trial.implementation.perform([.createTarget(name, id: nil)])
      for (attribute, values) in trial.world.targetAttributes.sorted(by: { $0.key < $1.key }) {
        for value in values {
          try await trial.implementation.perform([.setAttribute(name, attribute, value)])
          let now = try await trial.read().targets[name]?.attributes[attribute]
          let isTold = !trial.world.untoldAttributes.contains(attribute)
          try trial.expect(now == value || !isTold, "\(attribute) is \(now as Any), not \(value)")
        }
      }
    },
    ConformanceCase("read-back: the ends of the range of luns") { trial in
      let name = try trial.samples.name()
      try await trial.implementation.perform([.createTarget(name, id: nil)])
      for number in [trial.capabilities.luns.lowerBound, trial.capabilities.luns.upperBound] {
        var unit = try await trial.samples.unit()
        unit.lun = try LUN(number)
        try await trial.implementation.perform([.addUnit(name, unit)])
        try trial.expectHolds(unit, await trial.read().targets[name]?.units[unit.lun])
      }
    },
    ConformanceCase("read-back: names of the greatest length") { trial in
      let prefix = "iqn.2011-12.com.example:"
      let name = try TargetName(prefix + String(repeating: "x", count: 223 - prefix.utf8.count))
      let longest = String(repeating: "u", count: 255)
      try await trial.implementation.perform([.createTarget(name, id: nil)])
      try trial.expect(try await trial.read().targets[name] != nil, "a target's name of 223 bytes is lost")
      if trial.capabilities.initiatorKinds.contains(.name) {
        let initiator = Initiator.name(
          try ISCSIName(prefix + String(repeating: "y", count: 223 - prefix.utf8.count)))
        try await trial.implementation.perform([.allow(name, initiator)])
      }
      let account = try CHAPAccount(user: CHAPUser(longest), secret: Secret(longest.utf8))
      do {
        try await trial.implementation.perform([.setAccount(name, .incoming, account, rewrite: false)])
      } catch let failure as Failure where failure.code == .unsupported {
        // A limit that is said before anything is touched is one that may be.
      }
    },
    ConformanceCase("read-back: a backing path with a blank and letters that are not ASCII") { trial in
      let (name, unit) = (try trial.samples.name(), try await trial.samples.unit())
      guard case .path(let path) = unit.backing else { return }
      try trial.require(
        !trial.capabilities.reservedPathCharacters.contains(" "), otherwise: "a blank in a path is its syntax"
      )
      let link = path + "-ein Name mit ß"
      try trial.world.host.createLink(.init(link), to: .init(path))
      var odd = unit
      odd.backing = .path(link)
      try await trial.implementation.perform([.createTarget(name, id: nil), .addUnit(name, odd)])
      try trial.expectHolds(odd, await trial.read().targets[name]?.units[odd.lun])
    },
  ]
}
