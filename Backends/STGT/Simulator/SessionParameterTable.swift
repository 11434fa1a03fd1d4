/// The session parameters of a target: `session_keys` of usr/iscsi/param.c, with the defaults that
/// usr/iscsi/target.c gives a new target.
struct SessionParameterTable {
  private enum Kind {
    case number(ClosedRange<UInt32>)
    /// A number of a range, or 0.
    case numberOrZero(ClosedRange<UInt32>)
    case boolean
    case digest
    /// Takes any value and shows whether it is 0.
    case marker
  }

  private static let lengths: ClosedRange<UInt32> = 512...16_777_215
  private static let keys: [(name: String, kind: Kind, value: UInt32)] = [
    ("MaxRecvDataSegmentLength", .number(lengths), 8192),
    ("HeaderDigest", .digest, 0),
    ("DataDigest", .digest, 0),
    ("InitialR2T", .boolean, 1),
    ("MaxOutstandingR2T", .number(1...65535), 1),
    ("ImmediateData", .boolean, 1),
    ("FirstBurstLength", .number(lengths), 65536),
    ("MaxBurstLength", .number(lengths), 262_144),
    ("DataPDUInOrder", .boolean, 1),
    ("DataSequenceInOrder", .boolean, 1),
    ("ErrorRecoveryLevel", .number(0...2), 0),
    ("IFMarker", .boolean, 0),
    ("OFMarker", .boolean, 0),
    ("DefaultTime2Wait", .number(0...3600), 2),
    ("DefaultTime2Retain", .number(0...3600), 20),
    ("OFMarkInt", .marker, 2048),
    ("IFMarkInt", .marker, 2048),
    ("MaxConnections", .number(1...65535), 1),
    ("RDMAExtensions", .boolean, 1),
    ("TargetRecvDataSegmentLength", .number(lengths), 262_144),
    ("InitiatorRecvDataSegmentLength", .number(lengths), 262_144),
    ("MaxOutstandingUnexpectedPDUs", .numberOrZero(2...UInt32.max), 0),
    ("MaxXmitDataSegmentLength", .number(lengths), 8192),
    ("MaxQueueCmd", .number(1...512), 128),
  ]

  private var values = keys.map(\.value)

  /// Sets a parameter; its name in any case, its value by the rules of its kind.
  mutating func set(_ name: String, to text: String) throws(TgtadmError) {
    guard let index = Self.keys.firstIndex(where: { $0.name.lowercased() == name.lowercased() }) else {
      throw .invalidRequest
    }
    switch Self.keys[index].kind {
    case .number(let range):
      let value = UInt32(bitPattern: CText.integer(text, base: 0))
      guard range.contains(value) else { throw .invalidRequest }
      values[index] = value
    case .numberOrZero(let range):
      let value = UInt32(bitPattern: CText.integer(text, base: 0))
      guard value == 0 || range.contains(value) else { throw .invalidRequest }
      values[index] = value
    case .boolean:
      guard text == "Yes" || text == "No" else { throw .invalidRequest }
      values[index] = text == "Yes" ? 1 : 0
    case .digest:
      let words = text.split(separator: ",", omittingEmptySubsequences: false)
      guard words.allSatisfy({ $0.hasPrefix("None") || $0.hasPrefix("CRC32C") }) else {
        throw .invalidRequest
      }
      values[index] = words.contains { $0.hasPrefix("CRC32C") } ? 1 : 0
    case .marker: break
    }
  }

  /// The lines of `--mode target --op show --tid`.
  var text: String {
    zip(Self.keys, values).map { key, value in
      let word =
        switch key.kind {
        case .number, .numberOrZero: String(value)
        case .boolean: value == 0 ? "No" : "Yes"
        case .digest: value == 0 ? "None" : "CRC32C"
        case .marker: value == 0 ? "Irrelevant" : "Reject"
        }
      return "\(key.name)=\(word)\n"
    }.joined()
  }
}
