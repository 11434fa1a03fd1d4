import HostInterface
import TargetCore

/// Reads ietd.conf (usr/plain.c, `plain_target_init` and `plain_account_init`).
struct IETConfigurationReader {
  private var state = DesiredState()
  private var warnings: [String] = []
  private var number = 0

  /// Reads a whole file.
  ///
  /// - Throws: ``HostInterface/Failure`` with code `invalid` for the first line that ietd would take and turn into
  ///   something else.
  static func read(_ text: String) throws -> ConfigurationText {
    var reader = IETConfigurationReader()
    let bytes = Array(text.utf8)
    for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      reader.number += 1
      try reader.take(String(decoding: line, as: UTF8.self))
    }
    if bytes.last != UInt8(ascii: "\n"), !bytes.isEmpty {
      reader.warn("has no newline at its end, so that ietd may not read it")
    }
    return ConfigurationText(state: reader.state, warnings: reader.warnings)
  }

  private mutating func warn(_ problem: String) { warnings.append("ietd.conf line \(number) \(problem)") }

  private func fault(_ problem: String, _ remedy: String? = nil) -> Failure {
    Failure(.invalid, "ietd.conf line \(number)", problem, remedy: remedy)
  }

  /// A value, or the line that has none that can be.
  ///
  /// What stands there is not quoted: it may be a secret in the wrong place.
  private func checked<Value>(_ what: String, _ remedy: String? = nil, _ body: () throws -> Value) throws
    -> Value
  {
    do { return try body() } catch { throw fault("has \(what)", remedy) }
  }

  private mutating func take(_ line: String) throws {
    guard line.utf8.count < AccessFile.lineLimit else {
      throw fault("has \(line.utf8.count) bytes, of which ietd reads \(AccessFile.lineLimit - 1)")
    }
    let parts = line.split(maxSplits: 1, omittingEmptySubsequences: true, whereSeparator: \.isWhitespace)
    guard let key = parts.first, !key.hasPrefix("#") else { return }
    let value = parts.count == 2 ? String(parts[1]).trimmed : ""
    switch String(key).asciiLowercased {
    case "target": try takeTarget(value)
    case "incominguser": try takeAccount(value, .incoming)
    case "outgoinguser": try takeAccount(value, .outgoing)
    case "isnsserver", "isnsaccesscontrol", "alias", "maxsessions":
      warn("says \(key), which can only be set when ietd starts; it is left out")
    default: try takeSetting(String(key), value)
    }
  }

  private mutating func takeTarget(_ value: String) throws {
    let word = value.split(whereSeparator: \.isWhitespace).first.map(String.init) ?? ""
    let name = try checked("no name that a target can have", "write it like iqn.2011-12.com.example:disk1") {
      try TargetName(word)
    }
    guard !state.targets.contains(where: { $0.name == name }) else {
      throw fault("names target \(name) for the second time", "put its lines behind the first")
    }
    var spec = TargetSpec(name: name)
    // The list is whole: what ietd has and the file has not goes.
    spec.units = []
    spec.chap = CHAPSpec(incoming: [], outgoing: .some(nil))
    state.targets.append(spec)
  }

  private mutating func takeAccount(_ value: String, _ direction: CHAPDirection) throws {
    let words = value.split(whereSeparator: \.isWhitespace).map(String.init)
    guard words.count == 2 else { throw fault("needs a name and a secret") }
    let account = try checked("a name or secret with a comma, quote or backslash, or of over 255 bytes") {
      try CHAPAccount(user: CHAPUser(words[0]), secret: Secret(words[1].utf8))
    }
    var chap = (state.targets.isEmpty ? state.discovery : state.targets.last?.chap) ?? CHAPSpec(incoming: [])
    switch direction {
    case .incoming:
      guard chap.incoming?.contains(where: { $0.user == account.user }) != true else {
        throw fault("has an account for the second time")
      }
      chap.incoming = (chap.incoming ?? []) + [account]
    case .outgoing: chap.outgoing = .some(account)
    }
    if let last = state.targets.indices.last {
      state.targets[last].chap = chap
    } else {
      state.discovery = chap
    }
  }

  private mutating func takeSetting(_ key: String, _ value: String) throws {
    if key.asciiLowercased == "lun" { return try takeUnit(value) }
    let attribute = IETPlanner.attributeRanges.keys.first { $0.asciiLowercased == key.asciiLowercased }
    let parameter = SessionParameter.allCases.first { $0.rawValue.asciiLowercased == key.asciiLowercased }
    guard attribute != nil || parameter != nil else {
      return warn("has a key that ietd does not know; it is left out")
    }
    guard let last = state.targets.indices.last else {
      return warn("says \(key) before the first target, where it means nothing; it is left out")
    }
    let word = value.split(whereSeparator: \.isWhitespace).first.map(String.init) ?? ""
    if let attribute { return state.targets[last].attributes[attribute] = word }
    guard let parameter else { return }
    var normal = try checked("a value of \(parameter.rawValue) that is not allowed") {
      try parameter.normalized(word)
    }
    // Unlike ietadm, ietd reads the whole list, and then prefers the digest.
    if normal.contains("CRC32C") { normal = "CRC32C" }
    if let refusal = refusal(parameter, normal, state.targets[last].name) { throw fault(refusal) }
    state.targets[last].parameters[parameter] = normal
  }

  private func refusal(_ parameter: SessionParameter, _ value: String, _ name: TargetName) -> String? {
    Capabilities.iet.refusals(of: .setParameter(name, parameter, value)).first.map { "has a \($0)" }
  }
}

extension IETConfigurationReader {
  private mutating func takeUnit(_ value: String) throws {
    let parts = value.split(maxSplits: 1, whereSeparator: \.isWhitespace).map(String.init)
    guard let last = state.targets.indices.last else {
      return warn("has a logical unit before the first target; it is left out")
    }
    let lun = try checked("no logical unit number, 0 to 16383 are allowed") { try LUN(parts.first ?? "") }
    guard state.targets[last].units?.contains(where: { $0.lun == lun }) != true else {
      throw fault("has lun \(lun) for the second time")
    }
    var unit = LogicalUnit(lun: lun, backing: .none)
    unit.store = "fileio"
    for setting in (parts.count == 2 ? parts[1] : "").split(separator: ",") {
      let pair = setting.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(
        String.init)
      guard pair.count == 2 else {
        throw fault("has something that is no KEY=VALUE")
      }
      try set(pair[0].asciiLowercased, pair[1], of: &unit)
    }
    guard (unit.store == "nullio") == (unit.backing == .none) else {
      throw fault(unit.backing == .none ? "has no Path" : "has a Path, which nullio does not take")
    }
    if unit.backing != .none {
      if unit.readOnly == nil { unit.readOnly = false }
      if unit.readOnly == false, unit.cache == nil { unit.cache = .through }
      if unit.scsiID == nil {
        warn("has no ScsiId: lun \(lun) gets another identity than the one that ietd makes of its numbers")
      }
    }
    state.targets[last].units?.append(unit)
  }

  private func set(_ key: String, _ value: String, of unit: inout LogicalUnit) throws {
    switch key {
    case "path":
      unit.backing = try checked("a Path that is not absolute, too long, or with control characters") {
        try Backing(path: value)
      }
    case "type":
      guard ["fileio", "blockio", "nullio"].contains(value) else {
        throw fault("has a Type that IET does not have", "use fileio, blockio or nullio")
      }
      unit.store = value
    case "iomode":
      guard ["ro", "wt", "wb"].contains(value) else {
        throw fault(
          "has an IOMode that IET takes for wt", "use ro, wt or wb")
      }
      unit.readOnly = value == "ro"
      if value != "ro" { unit.cache = value == "wb" ? .back : .through }
    case "scsiid": unit.scsiID = try short(value, "ScsiId")
    case "scsisn": unit.serial = try short(value, "ScsiSN")
    case "sectors": unit.attributes[IETPlanner.sectors] = value
    case "blocksize":
      guard let size = UInt32(value), Capabilities.iet.blockSizes.contains(size) else {
        throw fault("has a BlockSize that is not allowed", "use 512, 1024, 2048 or 4096")
      }
      unit.blockSize = size
    default: throw fault("has a key that no logical unit has")
    }
  }

  private func short(_ value: String, _ key: String) throws -> String {
    guard (1...16).contains(value.utf8.count) else {
      throw fault("has a \(key) of \(value.utf8.count) bytes, 1 to 16 are allowed")
    }
    return value
  }
}
