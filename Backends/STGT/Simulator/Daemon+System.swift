extension Daemon {
  mutating func system(_ request: TgtadmRequest) throws -> String {
    switch request.operation {
    case .update: try updateSystem(try text(of: request))
    case .show: return try showSystem()
    case .stat: return Self.statisticsHeader + targets.map(statistics).joined()
    case .delete:
      guard targets.isEmpty else { throw TgtadmError.invalidRequest }
      hasEnded = true
    default: throw TgtadmError.invalidRequest
    }
    return ""
  }

  private mutating func updateSystem(_ text: String) throws {
    if text.hasPrefix("debug=") {
      guard text.hasPrefix("debug=on") || text.hasPrefix("debug=off") else {
        throw TgtadmError.invalidRequest
      }
      isDebugging = text.hasPrefix("debug=on")
      return
    }
    var error: TgtadmError?
    for part in text.split(separator: ",") {
      let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard pair.count == 2, !pair[1].isEmpty else {
        error = .invalidRequest
        continue
      }
      // Into a buffer of 16 bytes.
      let value = CText.cut(pair[1], to: 15)
      switch pair[0] {
      case "iSNS":
        if value == "On" || value == "Off" { isns.isOn = value == "On" } else { error = .invalidRequest }
      case "iSNSServerIP": isns.address = pair[1]
      case "iSNSServerPort": isns.port = CText.integer(pair[1], base: 0)
      case "iSNSAccessControl": isns.controlsAccess = value == "On"
      case "State":
        // The last assignment counts, also over an earlier error.
        error = value == "ready" || value == "offline" ? nil : .invalidRequest
        if error == nil { isOnline = value == "ready" }
      default: error = .invalidRequest
      }
    }
    if let error { throw error }
  }

  private func showSystem() throws -> String {
    var text = """
      System:
          State: \(isOnline ? "ready" : "offline")
          debug: \(isDebugging ? "on" : "off")
      LLDs:
          iscsi: \(iscsiState)
          iser: error
      Backing stores:

      """
    for store in BackingStore.all {
      text += "    \(store.name)" + (store.takesFlags ? " (bsoflags sync:direct)\n" : "\n")
    }
    text += "Device types:\n" + DeviceType.all.map { "    \($0.name)\n" }.joined()
    if discovery.count > 0 {
      text += "    Account information:\n\n" + (try names(of: discovery, indent: "    "))
    }
    return text + """
      iSNS:
          iSNS=\(isns.isOn ? "On" : "Off")
          iSNSServerIP=\(isns.address)
          iSNSServerPort=\(isns.port)
          iSNSAccessControl=\(isns.controlsAccess ? "On" : "Off")

      """
  }

  mutating func driver(_ request: TgtadmRequest) throws -> String {
    let isISCSI = request.driver != "iser"
    switch request.operation {
    case .start:
      // Without the hardware, iser ends in an error.
      guard isISCSI else { throw TgtadmError.unknown }
      if iscsiState != "ready" { startDriver() }
    case .stop:
      guard isISCSI, iscsiState == "ready" else { break }
      guard targets.isEmpty else { throw TgtadmError.driverActive }
      portals = []
      iscsiState = "stopped"
    case .show:
      let list = targets.sorted { $0.order < $1.order }.map { "        Target \($0.tid): \($0.name)\n" }
        .joined()
      return "LLDs:\n    iscsi: \(iscsiState)\n\(list)    iser: error\n"
    default: throw TgtadmError.invalidRequest
    }
    return ""
  }

  /// Opens the portals of the command line, or those of all addresses.
  mutating func startDriver() {
    iscsiState = "ready"
    if let arguments = environment.arguments { _ = parsePortals(arguments, adding: true) }
    if portals.isEmpty {
      bind(address: nil, port: Portal.standardPort)
    }
  }
}
