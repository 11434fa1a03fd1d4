import TargetCore

extension Capabilities {
  /// What IET 1.4.19 and 1.4.20 can express.
  ///
  /// The ranges are those of `session_keys` in usr/param.c, made narrower by `sess_param_check` in kernel/param.c: a
  /// value out of them becomes the smallest one, and ietadm reports success.
  static let iet: Capabilities = {
    var able = Capabilities(luns: 0...16383)
    able.targetIDs = 1...UInt32(Int32.max)
    able.initiatorKinds = [.all, .name, .address, .network]
    for parameter in SessionParameter.allCases { able.parameters[parameter] = parameter.domain }
    able.parameters[.maxConnections] = .number(1...1)
    able.parameters[.maxRecvDataSegmentLength] = .number(512...262_144)
    able.parameters[.maxXmitDataSegmentLength] = .number(512...262_144)
    able.parameters[.errorRecoveryLevel] = .number(0...0)
    able.parameters[.dataPDUInOrder] = .only("Yes")
    able.parameters[.dataSequenceInOrder] = .only("Yes")
    able.parameters[.ifMarker] = .only("No")
    able.parameters[.ofMarker] = .only("No")
    // ietadm's own lists end at a comma, so that the first digest is all that can be said.
    for digest in [SessionParameter.headerDigest, .dataDigest] {
      able.parameterReadsAs[digest] = ["None,CRC32C": "None", "CRC32C,None": "CRC32C"]
    }
    able.wildcards = .inIPv4
    able.daemonListens = true
    able.exclusiveStores = ["blockio"]
    able.mutualCHAP = true
    able.discoveryCHAP = true
    able.unitFields = [
      .store: 7, .deviceType: 4, .blockSize: 4, .readOnly: 5, .cache: 7, .scsiID: 16, .serial: 16,
    ]
    able.storesByKind = [.file: "fileio", .blockDevice: "blockio"]
    able.unbackedStores = ["nullio"]
    able.fixedUnitFields = Set(able.unitFields.keys)
    able.resizesUnits = false
    able.blockSizes = [512, 1024, 2048, 4096]
    able.targetAttributes = Set(IETPlanner.attributeRanges.keys)
    able.unitAttributes = [IETPlanner.sectors]
    able.fixedUnitAttributes = [IETPlanner.sectors]
    able.reservedCharacters = [","]
    able.newTargetsAreEnabled = true
    able.attributeDefaults = [
      "NOPInterval": ["0"],
      "NOPTimeout": ["0"],
      "QueuedCommands": ["32"],
      "Wthreads": ["8"],
    ]
    return able
  }()
}
