import HostInterface
import TargetCore

/// Objects to try, as far as an implementation can have them.
struct Samples: Sendable {
  static let backingSize: UInt64 = 32 << 20

  let world: ConformanceWorld
  let capabilities: Capabilities

  func name(_ number: Int = 1) throws -> TargetName {
    try TargetName("iqn.2011-12.com.example:conformance\(number)")
  }

  /// The logical unit numbers that the cases use, counted from 0; the second leaves a gap behind the first.
  func lun(_ index: Int) throws -> LUN { try LUN(capabilities.luns.lowerBound + index * 3) }

  func account(_ name: String, secret: String? = nil) throws -> CHAPAccount {
    try CHAPAccount(user: CHAPUser(name), secret: Secret((secret ?? "secret-of-\(name)-1").utf8))
  }

  /// One initiator of every kind that can be let in, and no more than those that leave the others a meaning.
  func initiators() throws -> [Initiator] {
    let all = try ["iqn.1993-08.org.debian:01:conformance", "192.0.2.7", "198.51.100.0/24"].map { text in
      try Initiator(text)
    }
    return all.filter { capabilities.initiatorKinds.contains($0.kind) }
  }

  func initiator(_ kind: Capabilities.InitiatorKind) throws -> Initiator {
    switch kind {
    case .all: .all
    case .name: try Initiator("iqn.1993-08.org.debian:01:other")
    case .pattern: try Initiator("iqn.1991-05.com.microsoft:*")
    case .address: try Initiator("192.0.2.8")
    case .network: try Initiator("203.0.113.0/24")
    }
  }

  /// A plain logical unit on a backing of its own.
  func unit(_ index: Int = 0, bytes: UInt64 = backingSize) async throws -> LogicalUnit {
    LogicalUnit(lun: try lun(index), backing: try Backing(path: await world.makeBacking(bytes)))
  }

  /// A logical unit with every text that says who it is.
  func namedUnit(_ index: Int) async throws -> LogicalUnit {
    var unit = try await unit(index)
    for field in [UnitField.serial, .scsiID, .vendor, .product, .revision] {
      unit[field] = values(of: field)?.first
    }
    return unit
  }

  /// Two values of a field; nil when the implementation does not have it.
  func values(of field: UnitField) -> [String]? {
    guard let longest = capabilities.unitFields[field] else { return nil }
    if let values = world.unitValues[field] { return values }
    func texts(_ words: String...) -> [String] { words.map { String($0.prefix(longest)) } }
    switch field {
    case .store: return nil
    case .deviceType: return nil
    case .blockSize:
      let sizes = capabilities.blockSizes.sorted()
      return [sizes.first, sizes.last { $0 <= 4096 }].compactMap { $0.map(String.init) }
    case .readOnly, .thin, .removable, .online: return ["true", "false"]
    case .cache: return [CacheMode.through.rawValue, CacheMode.back.rawValue]
    case .scsiID: return texts("60a98000c0ffee01", "60a98000c0ffee02")
    case .serial: return texts("c0ffee0123456789", "c0ffee9876543210")
    case .vendor: return texts("QUARTET", "OTHER")
    case .product: return texts("CONFORMANCE", "ANOTHER")
    case .revision: return texts("0001", "0002")
    }
  }

  /// Two values of a session parameter that the implementation takes; nil when it does not have it.
  func values(of parameter: SessionParameter) -> [String]? {
    switch capabilities.parameters[parameter] {
    case nil: return nil
    case .boolean: return ["Yes", "No"]
    case .digests: return ["CRC32C", "None"]
    case .only(let value): return [value, value]
    case .number(let range):
      // Neither end: what an implementation does at its ends it is asked elsewhere.
      let first = min(range.upperBound, range.lowerBound + 1)
      return [String(first), String(min(range.upperBound, first * 2))]
    }
  }

  /// A target with something of everything that the implementation can have.
  func rich(_ number: Int = 1) async throws -> TargetSpec {
    var spec = TargetSpec(name: try name(number))
    spec.units = [try await unit(0), try await namedUnit(1)]
    spec.initiators = try initiators()
    var chap = CHAPSpec(incoming: [try account("jack\(number)"), try account("jill\(number)")])
    if let limit = capabilities.incomingAccountLimit {
      chap.incoming = chap.incoming.map { Array($0.prefix(limit)) }
    }
    if capabilities.mutualCHAP { chap.outgoing = .some(.some(try account("target\(number)"))) }
    spec.chap = chap
    for parameter in [SessionParameter.defaultTime2Wait, .defaultTime2Retain, .initialR2T] {
      spec.parameters[parameter] = values(of: parameter)?.last
    }
    for (name, values) in world.targetAttributes { spec.attributes[name] = values.first }
    if capabilities.portalScope == .target, let portal = world.portals.first { spec.portals = [portal] }
    return spec
  }

  /// A document with a rich target, and accounts of discovery where they can be.
  func richDocument() async throws -> DesiredState {
    var document = DesiredState(targets: [try await rich()])
    if capabilities.discoveryCHAP {
      document.discovery = CHAPSpec(
        incoming: [try account("finder")], outgoing: .some(.some(try account("found"))))
    }
    return document
  }
}
