import TargetCore

extension Capabilities {
  /// What SCST 3.11 with iscsi-scstd can express; ranges as its iscsi-scst/usr/param.c has them, all of them seen.
  static let scst: Capabilities = {
    var able = Capabilities(luns: 0...16383)
    able.targetIDs = 1...65535
    able.initiatorKinds = [.all, .name, .pattern]
    able.unitInitiators = true
    for parameter in [
      SessionParameter.headerDigest, .dataDigest, .initialR2T, .immediateData, .maxOutstandingR2T,
    ] {
      able.parameters[parameter] = parameter.domain
    }
    for parameter in [
      SessionParameter.maxRecvDataSegmentLength, .maxXmitDataSegmentLength, .maxBurstLength,
      .firstBurstLength,
    ] {
      able.parameters[parameter] = .number(512...1_048_576)
    }
    able.parameterNotes = [
      .defaultTime2Retain: "SCST keeps nothing of a session whose connection is lost: its value is always 0",
      .defaultTime2Wait: "SCST lets initiators reconnect at once: its value is always 0",
      .errorRecoveryLevel: "SCST recovers by a new session only: its value is always 0",
      .maxConnections: "SCST has one connection in a session: its value is always 1",
      .dataPDUInOrder: "SCST always sends data in order",
      .dataSequenceInOrder: "SCST always sends data in order",
      .ifMarker: "SCST speaks no markers", .ofMarker: "SCST speaks no markers",
    ]
    for digest in [SessionParameter.headerDigest, .dataDigest] {
      able.parameterReadsAs[digest] = ["CRC32C,None": "None,CRC32C"]
    }
    able.daemonListens = true
    able.exclusiveStores = ["vdisk_blockio"]
    able.mutualCHAP = true
    able.discoveryCHAP = true
    able.portalScope = .target
    able.unitFields = [
      .store: 16, .deviceType: 16, .blockSize: 5, .readOnly: 5, .cache: 8, .thin: 5, .removable: 5,
      .online: 5,
      .scsiID: 25, .serial: 20, .vendor: 8, .product: 16, .revision: 4,
    ]
    able.fixedUnitFields = [.store, .deviceType, .blockSize, .readOnly, .cache, .thin, .removable]
    able.storesByKind = [.file: "vdisk_fileio", .blockDevice: "vdisk_blockio"]
    able.storesByType = [.cd: "vcdrom", .passthrough: "dev_disk"]
    able.unbackedStores = ["vdisk_nullio"]
    able.deviceTypes = [.disk, .cd, .passthrough]
    able.blockSizes = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536]
    able.targetAttributes = [
      "NopInInterval", "NopInTimeout", "QueuedCommands", "RspTimeout", "MaxSessions", "RDMAExtensions",
      "addr_method", "aen_disabled", "alias", "black_hole", "comment", "cpu_mask", "forward_dst",
      "forward_src",
      "forwarding", "io_grouping_type", "per_portal_acl", "redirect",
    ]
    able.unitAttributes = Set(SCSTAttributes.all.keys).union([SCSTAttributes.name])
    able.fixedUnitAttributes = Set(SCSTAttributes.all.filter { !$0.value.later }.keys)
      .union([SCSTAttributes.name])
    able.reservedPathCharacters = [" ", "\t", "=", ";", "\n"]
    able.withoutUnitZero = "initiators look there first, and find none of its logical units"
    able.attributeDefaults = [
      "MaxSessions": ["0"],
      "NopInInterval": ["30"],
      "NopInTimeout": ["30"],
      "QueuedCommands": ["32"],
      "RDMAExtensions": ["No", "Yes"],
      "RspTimeout": ["90"],
      "addr_method": ["PERIPHERAL"],
      "aen_disabled": ["0"],
      "alias": [""],
      "black_hole": ["0"],
      "comment": [""],
      "cpu_mask": [],
      "forward_dst": ["0"],
      "forward_src": ["0"],
      "forwarding": ["0"],
      "io_grouping_type": ["auto"],
      "per_portal_acl": ["0"],
      "redirect": [""],
    ]
    for (name, attribute) in SCSTAttributes.all {
      able.attributeDefaults[name] = attribute.standard.map { [$0] } ?? []
    }
    able.attributeDefaults[SCSTAttributes.name] = []
    able.attributeDefaults["threads_num"] = ["1", "8"]
    able.attributeDefaults["bind_alua_state"] = ["0", "1"]
    return able
  }()
}
