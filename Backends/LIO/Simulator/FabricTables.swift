/// The files of targets, as they are on Linux 6.1 (drivers/target/iscsi/iscsi_target_configfs.c).
enum FabricTables {
  static let accounts: [Attribute] =
    [.init("authenticate_target", "0", .readOnly)]
    + ["password", "password_mutual", "userid", "userid_mutual"].map { .init($0, "", .text) }

  static let groupAttributes: [Attribute] = [
    .init("authentication", "1", .number(0...1)), .init("cache_dynamic_acls", "0", .number(0...1)),
    .init("default_cmdsn_depth", "64", .number(1...512)), .init("default_erl", "0", .number(0...2)),
    .init("demo_mode_discovery", "1", .number(0...1)), .init("demo_mode_write_protect", "1", .number(0...1)),
    .init("fabric_prot_type", "0", .oneOf([0, 1, 3])), .init("generate_node_acls", "0", .number(0...1)),
    .init("login_keys_workaround", "1", .number(0...1)), .init("login_timeout", "15", .number(5...30)),
    .init("netif_timeout", "2", .number(2...15)), .init("prod_mode_write_protect", "0", .number(0...1)),
    .init("t10_pi", "0", .number(0...1)), .init("tpg_enabled_sendtargets", "1", .number(0...1)),
  ]

  private static let digests: Set<String> = ["None", "CRC32C", "None,CRC32C", "CRC32C,None"]
  private static let answers: Set<String> = ["Yes", "No"]

  /// The parameters that a session negotiates, and what they are with an initiator that asks for nothing special.
  static let negotiated: [(name: String, value: String)] = [
    ("DataPDUInOrder", "1"), ("DataSequenceInOrder", "1"), ("DefaultTime2Retain", "0"),
    ("DefaultTime2Wait", "2"),
    ("ErrorRecoveryLevel", "0"), ("FirstBurstLength", "65536"), ("ImmediateData", "1"), ("InitialR2T", "1"),
    ("MaxBurstLength", "262144"), ("MaxConnections", "1"), ("MaxOutstandingR2T", "1"),
  ]

  static let parameters: [Attribute] = {
    // The kernel compares the upper bound alone where the lower one is 0.
    let seconds = Attribute.Rule.number(Int.min...3600)
    let count = Attribute.Rule.number(1...65_535)
    let length = Attribute.Rule.number(512...16_777_215)
    return [
      .init("AuthMethod", "CHAP", .words(["CHAP", "None", "CHAP,None", "None,CHAP"])),
      .init("DataDigest", "CRC32C,None", .words(digests)), .init("DataPDUInOrder", "Yes", .words(answers)),
      .init("DataSequenceInOrder", "Yes", .words(answers)), .init("DefaultTime2Retain", "20", seconds),
      .init("DefaultTime2Wait", "2", seconds), .init("ErrorRecoveryLevel", "0", .number(0...2)),
      .init("FirstBurstLength", "65536", length), .init("HeaderDigest", "CRC32C,None", .words(digests)),
      .init("IFMarkInt", "Reject", .text), .init("IFMarker", "No", .words(answers)),
      .init("ImmediateData", "Yes", .words(answers)), .init("InitialR2T", "Yes", .words(answers)),
      .init("MaxBurstLength", "262144", length), .init("MaxConnections", "1", count),
      .init("MaxOutstandingR2T", "1", count), .init("MaxRecvDataSegmentLength", "8192", length),
      .init("MaxXmitDataSegmentLength", "262144", length), .init("OFMarkInt", "Reject", .text),
      .init("OFMarker", "No", .words(answers)), .init("TargetAlias", "LIO Target", .text),
    ]
  }()

  static let unit: [Attribute] = [
    .init("alua_tg_pt_gp", "", .text), .init("alua_tg_pt_offline", "0", .number(0...1)),
    .init("alua_tg_pt_status", "0", .number(0...2)), .init("alua_tg_pt_write_md", "0", .number(0...1)),
  ]

  static let node: [Attribute] = [
    .init("cmdsn_depth", "64", .number(0...512)), .init("info", "", .readOnly), .init("tag", "", .text),
  ]

  static let nodeAttributes: [Attribute] = [
    .init("authentication", "-1", .number(-1...1)), .init("dataout_timeout", "3", .number(2...60)),
    .init("dataout_timeout_retries", "5", .number(1...15)), .init("default_erl", "0", .number(0...2)),
    .init("nopin_response_timeout", "30", .number(3...60)), .init("nopin_timeout", "15", .number(0...60)),
    .init("random_datain_pdu_offsets", "0", .number(0...1)),
    .init("random_datain_seq_offsets", "0", .number(0...1)), .init("random_r2t_offsets", "0", .number(0...1)),
  ]

  /// The counters of a session, in the order of their names.
  static let counters = [
    "cmd_pdus", "conn_digest_errors", "conn_timeout_errors", "indx", "inst", "node", "rsp_pdus",
    "rxdata_octs",
    "txdata_octs",
  ]
}
