import TargetCore

extension Capabilities {
  /// What tgtd 1.0.30 to 1.0.97 can express; the ranges are those of `session_keys` in its `usr/iscsi/iscsid.c`.
  static let stgt: Capabilities = {
    // LUN 0 is tgt's own controller.
    var able = Capabilities(luns: 1...16383)
    able.targetIDs = 1...UInt32(Int32.max)
    able.initiatorKinds = [.all, .name, .address, .network]
    for parameter in SessionParameter.allCases { able.parameters[parameter] = parameter.domain }
    // It stores a set of digests and prints CRC32C when that is among them.
    for digest in [SessionParameter.headerDigest, .dataDigest] {
      able.parameterReadsAs[digest] = ["None,CRC32C": "CRC32C", "CRC32C,None": "CRC32C"]
    }
    able.mutualCHAP = true
    able.discoveryCHAP = true
    able.sharedAccounts = true
    able.portalScope = .implementation
    able.unitFields = [
      .store: 16, .deviceType: 16, .blockSize: 5, .readOnly: 5, .cache: 8, .thin: 5, .removable: 5,
      .online: 5, .scsiID: 36, .serial: 36, .vendor: 8, .product: 16, .revision: 4,
    ]
    able.unbackedStores = ["null"]
    able.fixedUnitFields = [.store, .deviceType, .blockSize, .cache]
    able.deviceTypes = [.disk, .cd, .tape, .changer, .osd, .passthrough]
    able.blockSizes = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536]
    able.targetAttributes = [
      "nop_interval", "nop_count", "MaxQueueCmd", "MaxOutstandingUnexpectedPDUs", "RDMAExtensions",
      "TargetRecvDataSegmentLength", "InitiatorRecvDataSegmentLength", "RedirectAddress", "RedirectPort",
      "RedirectReason", "RedirectCallback",
    ]
    able.unitAttributes = [
      "bsoflags", "bsopts", "sense_format", "lbppbe", "la_lba", "optimal_xfer_gran", "optimal_xfer_len",
      "rotation_rate", "mode_page",
    ]
    able.reservedCharacters = [","]
    able.newTargetsAreEnabled = true
    // How the backing is opened follows from the cache.
    able.attributeDefaults = [
      "InitiatorRecvDataSegmentLength": ["262144"],
      "MaxOutstandingUnexpectedPDUs": ["0"],
      "MaxQueueCmd": ["128"],
      "RDMAExtensions": ["Yes"],
      "TargetRecvDataSegmentLength": ["262144"],
      "bsoflags": [],
      "nop_count": ["0"],
      "nop_interval": ["0"],
    ]
    return able
  }()
}
