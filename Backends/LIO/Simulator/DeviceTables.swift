/// The files of backstores, as they are on Linux 6.1 (drivers/target/target_core_configfs.c).
enum DeviceTables {
  static let device: [Attribute] = [
    .init("alias", "", .text), .init("alua_lu_gp", "", .text), .init("control", "", .writeOnly),
    .init("enable", "0", .text), .init("info", "", .readOnly), .init("lba_map", "", .text),
    .init("udev_path", "", .text),
  ]

  static let reservations: [Attribute] =
    [.init("res_aptpl_metadata", "Ready to process PR APTPL metadata..", .text)]
    + [
      "res_aptpl_active", "res_holder", "res_pr_all_tgt_pts", "res_pr_generation", "res_pr_holder_tg_port",
      "res_pr_registered_i_pts", "res_pr_type", "res_type",
    ].map { .init($0, "", .readOnly) }

  static let portGroup: [Attribute] = [
    .init("alua_access_state", "0", .oneOf([0, 1, 2, 3, 14, 15])),
    .init("alua_access_status", "0", .number(0...2)),
    .init("alua_access_type", "3", .number(0...3)),
    .init("alua_support_active_nonoptimized", "1", .number(0...1)),
    .init("alua_support_active_optimized", "1", .number(0...1)),
    .init("alua_support_lba_dependent", "0", .readOnly),
    .init("alua_support_offline", "1", .number(0...1)),
    .init("alua_support_standby", "1", .number(0...1)),
    .init("alua_support_transitioning", "1", .number(0...1)),
    .init("alua_support_unavailable", "1", .number(0...1)),
    .init("alua_write_metadata", "0", .number(0...1)),
    .init("implicit_trans_secs", "0", .number(0...255)),
    .init("members", "", .readOnly),
    .init("nonop_delay_msecs", "100", .number(0...10_000)),
    .init("preferred", "0", .number(0...1)),
    .init("tg_pt_gp_id", "", .number(0...65_535)),
    .init("trans_delay_msecs", "0", .number(0...30_000)),
  ]

  static func identity(of plugin: Kind.Plugin) -> [Attribute] {
    let product: String
    switch plugin {
    case .iblock: product = "IBLOCK"
    case .fileio: product = "FILEIO"
    case .ramdisk: product = "RAMDISK-MCP"
    case .pscsi: product = "scsi_debug      "
    case .user: product = ""
    }
    return [
      .init("company_id", "0x001405", .text, fixed: true),
      .init("product_id", product, .text, fixed: true),
      .init("revision", plugin == .user ? "" : plugin == .pscsi ? "0191" : "4.0", .text, fixed: true),
      .init("vendor_id", plugin == .pscsi ? "Linux   " : "LIO-ORG", .text, fixed: true),
      .init("vpd_assoc_logical_unit", "", .readOnly), .init("vpd_assoc_scsi_target_device", "", .readOnly),
      .init("vpd_assoc_target_port", "", .readOnly), .init("vpd_protocol_identifier", "", .readOnly),
      .init("vpd_unit_serial", plugin == .pscsi ? "2000" : "", .text, fixed: true),
    ]
  }

  static func attributes(of plugin: Kind.Plugin) -> [Attribute] {
    switch plugin {
    case .iblock, .fileio, .ramdisk: emulated(plugin)
    case .pscsi:
      [
        .init("alua_support", "0", .flag), .init("emulate_pr", "1", .flag), .init("pgr_support", "0", .flag),
      ] + hardware(sectors: "4294967288", depth: "192")
    case .user: user
    }
  }

  private static func hardware(sectors: String, depth: String) -> [Attribute] {
    [
      .init("hw_block_size", "512", .readOnly), .init("hw_max_sectors", sectors, .readOnly),
      .init("hw_pi_prot_type", "0", .readOnly), .init("hw_queue_depth", depth, .readOnly),
    ]
  }

  private static let user: [Attribute] =
    hardware(sectors: "128", depth: "128") + [
      .init("alua_support", "1", .flag), .init("cmd_ring_size_mb", "8", .readOnly),
      .init("cmd_time_out", "30", .number(0...Int(Int32.max))), .init("data_pages_per_blk", "1", .readOnly),
      .init("dev_config", "", .text), .init("dev_size", "", .text), .init("emulate_pr", "1", .flag),
      .init("emulate_write_cache", "0", .text), .init("enforce_pr_isids", "1", .flag),
      .init("force_pr_aptpl", "0", .flag), .init("max_data_area_mb", "1024", .readOnly),
      .init("nl_reply_supported", "-1", .number(-1...1)), .init("pgr_support", "1", .flag),
      .init("qfull_time_out", "-1", .number(-1...Int(Int32.max))), .init("tmr_notification", "0", .flag),
    ]

  /// How much a device takes at once, in sectors.
  private static func sectors(_ plugin: Kind.Plugin) -> String {
    switch plugin {
    case .iblock: "248"
    case .fileio: "16384"
    default: "4294967288"
    }
  }

  private static func emulated(_ plugin: Kind.Plugin) -> [Attribute] {
    let isFile = plugin == .fileio
    let most = sectors(plugin)
    // A disk that does not discard takes no unmapping; the model's block devices do not.
    let unmapping = isFile ? Attribute.Rule.flag : .never
    let any = Attribute.Rule.number(0...Int(UInt32.max))
    return hardware(sectors: most, depth: "128") + [
      .init("alua_support", "1", .always),
      .init("block_size", "512", .oneOf([512, 1024, 2048, 4096]), fixed: true),
      .init("emulate_3pc", "1", .flag), .init("emulate_caw", "1", .flag), .init("emulate_dpo", "1", .deaf),
      .init("emulate_fua_read", "1", .deaf), .init("emulate_fua_write", "1", .flag),
      .init("emulate_model_alias", "0", .flag, fixed: true), .init("emulate_pr", "1", .flag),
      .init("emulate_rest_reord", "0", .never), .init("emulate_tas", "1", .flag, fixed: true),
      .init("emulate_tpu", "0", unmapping), .init("emulate_tpws", "0", unmapping),
      .init("emulate_ua_intlck_ctrl", "0", .number(0...2), fixed: true),
      .init("emulate_write_cache", "0", plugin == .iblock ? .number(0...0) : .flag),
      .init("enforce_pr_isids", "1", .flag), .init("force_pr_aptpl", "0", .flag),
      .init("is_nonrot", isFile ? "0" : "1", .flag),
      .init("max_unmap_block_desc_count", isFile ? "1" : "0", any),
      .init("max_unmap_lba_count", isFile ? "8192" : "0", any),
      .init("max_write_same_len", isFile ? "4096" : plugin == .iblock ? "65535" : "0", any),
      .init("optimal_sectors", most, .number(0...(Int(most) ?? 0)), fixed: true),
      .init("pgr_support", "1", .always), .init("pi_prot_format", "0", .number(0...0)),
      .init("pi_prot_type", "0", .number(0...3), fixed: true), .init("pi_prot_verify", "0", .deaf),
      .init("queue_depth", "128", .number(1...128), fixed: true),
      .init("unmap_granularity", isFile ? "1" : "0", any), .init("unmap_granularity_alignment", "0", any),
      .init("unmap_zeroes_data", "0", unmapping),
    ]
  }
}
