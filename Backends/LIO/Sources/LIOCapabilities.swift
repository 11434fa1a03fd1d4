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
      .scsiID: 128, .serial: 252, .vendor: 8, .product: 16, .revision: 4,
    ]
    able.fixedUnitFields = [
      .store, .blockSize, .scsiID, .deviceType, .serial, .vendor, .product, .revision, .cache,
    ]
    able.deviceTypes = [.disk, .passthrough]
    able.blockSizes = [512, 1024, 2048, 4096]
    able.storesByKind = [.file: "fileio", .blockDevice: "iblock", .characterDevice: "pscsi"]
    // A RAM disk has no file, and what a handler of tcmu opens need not be one.
    able.unbackedStores = ["rd_mcp", "user"]
    able.newTargetsAreEnabled = true
    able.targetAttributes = [
      "default_cmdsn_depth", "default_erl", "demo_mode_discovery", "fabric_prot_type",
      "login_keys_workaround",
      "login_timeout", "netif_timeout", "prod_mode_write_protect", "t10_pi", "tpg_enabled_sendtargets",
      "TargetAlias",
    ]
    // Not those that take a value and keep another: emulate_dpo, emulate_fua_read, emulate_rest_reord, pi_prot_format.
    able.unitAttributes = [
      "alua_support", "cmd_time_out", "company_id", "emulate_3pc", "emulate_caw", "emulate_fua_write",
      "emulate_model_alias", "emulate_pr", "emulate_tas", "emulate_tpu", "emulate_tpws",
      "emulate_ua_intlck_ctrl", "emulate_write_cache", "enforce_pr_isids", "force_pr_aptpl", "is_nonrot",
      "max_unmap_block_desc_count", "max_unmap_lba_count", "max_write_same_len", "optimal_sectors",
      "pgr_support",
      "pi_prot_type", "pi_prot_verify", "qfull_time_out", "queue_depth", "unmap_granularity",
      "unmap_granularity_alignment", "unmap_zeroes_data",
    ]
    able.unitAttributes.formUnion(LIOInfo.attributes)
    able.fixedUnitAttributes = LIOInfo.newDeviceAttributes
    able.unitAttributes.formUnion(LIOPaths.aluaAttributes)
    able.reservedCharacters = [",", "\n"]
    return able
  }()
}
