import TargetCore

extension Capabilities {
  /// What the mainline kernel's target can express, as of Linux 6.1.
  static let lio: Capabilities = {
    var able = Capabilities(luns: 0...16383)
    able.initiatorKinds = [.all, .name]
    able.unitInitiators = true
    for parameter in SessionParameter.allCases { able.parameters[parameter] = parameter.domain }
    able.wildcards = .inIPv6
    able.exclusiveStores = ["iblock"]
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
    // Empty where a device has its own limits, and where a field says the same.
    able.attributeDefaults = [
      "TargetAlias": ["LIO Target"],
      "alua_access_state": ["0"],
      "alua_access_type": ["3"],
      "alua_support": ["1"],
      "alua_write_metadata": ["0"],
      "default_cmdsn_depth": ["64"],
      "default_erl": ["0"],
      "demo_mode_discovery": ["1"],
      "emulate_3pc": ["1"],
      "emulate_caw": ["1"],
      "emulate_fua_write": ["1"],
      "emulate_model_alias": ["0"],
      "emulate_pr": ["1"],
      "emulate_tas": ["1"],
      "emulate_tpu": [],
      "emulate_tpws": [],
      "emulate_ua_intlck_ctrl": ["0"],
      "emulate_write_cache": [],
      "enforce_pr_isids": ["1"],
      "fabric_prot_type": ["0"],
      "fd_async_io": ["0"],
      "force_pr_aptpl": ["0"],
      "implicit_trans_secs": ["0"],
      "is_nonrot": [],
      "login_keys_workaround": ["1"],
      "login_timeout": ["15"],
      "max_unmap_block_desc_count": [],
      "max_unmap_lba_count": [],
      "max_write_same_len": [],
      "netif_timeout": ["2"],
      "nonop_delay_msecs": ["100"],
      "optimal_sectors": [],
      "pgr_support": ["1"],
      "pi_prot_type": ["0"],
      "pi_prot_verify": ["0"],
      "preferred": ["0"],
      "prod_mode_write_protect": ["0"],
      "queue_depth": [],
      "rd_nullio": ["0"],
      "t10_pi": ["0"],
      "tpg_enabled_sendtargets": ["1"],
      "trans_delay_msecs": ["0"],
      "unmap_granularity": [],
      "unmap_granularity_alignment": [],
      "unmap_zeroes_data": [],
    ]
    return able
  }()
}
