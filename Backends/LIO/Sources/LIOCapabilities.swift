import TargetCore

extension Capabilities {
  /// What the mainline kernel's target can express, as of Linux 6.1.
  static let lio: Capabilities = {
    var able = Capabilities(luns: 0...16383)
    able.initiatorKinds = [.all, .name]
    able.unitInitiators = true
    for parameter in SessionParameter.allCases { able.parameters[parameter] = parameter.domain }
    able.mutualCHAP = true
    able.discoveryCHAP = true
    able.incomingAccountLimit = 1
    able.portalScope = .target
    able.iser = true
    able.unitFields = [
      .store: 16, .blockSize: 4, .readOnly: 5, .cache: 8, .thin: 5, .deviceType: 16,
      // The identity names the backstore; what initiators see is made of the serial by the kernel.
      .scsiID: 128, .serial: 254, .vendor: 8, .product: 16, .revision: 4,
    ]
    able.fixedUnitFields = [
      .store, .blockSize, .scsiID, .deviceType, .serial, .vendor, .product, .revision, .cache,
    ]
    able.deviceTypes = [.disk, .passthrough]
    able.blockSizes = [512, 1024, 2048, 4096]
    able.storesByKind = [.file: "fileio", .blockDevice: "iblock", .characterDevice: "pscsi"]
    able.unbackedStores = ["rd_mcp"]
    able.targetAttributes = [
      "default_cmdsn_depth", "default_erl", "demo_mode_discovery", "fabric_prot_type",
      "login_keys_workaround",
      "login_timeout", "netif_timeout", "prod_mode_write_protect", "t10_pi", "tpg_enabled_sendtargets",
      "TargetAlias",
    ]
    able.unitAttributes = [
      "emulate_3pc", "emulate_caw", "emulate_dpo", "emulate_fua_read", "emulate_fua_write",
      "emulate_model_alias",
      "emulate_pr", "emulate_rest_reord", "emulate_tas", "emulate_tpu", "emulate_tpws",
      "emulate_ua_intlck_ctrl",
      "enforce_pr_isids", "force_pr_aptpl", "is_nonrot", "max_unmap_block_desc_count", "max_unmap_lba_count",
      "max_write_same_len", "optimal_sectors", "pi_prot_format", "pi_prot_type", "pi_prot_verify",
      "queue_depth",
      "unmap_granularity", "unmap_granularity_alignment", "unmap_zeroes_data", "alua_support", "pgr_support",
      "rd_pages",
    ]
    able.unitAttributes.formUnion(LIOPaths.aluaAttributes)
    able.reservedCharacters = [",", "\n"]
    return able
  }()
}
