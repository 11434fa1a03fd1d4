import Glibc

/// One setting of a target or of its sessions, as ietadm and ietd know it (usr/param.c), and the narrower range that the
/// kernel has for some (kernel/param.c).
struct SettingKey {
  enum Kind {
    /// A number; one out of the range becomes `min`.
    case minimum
    /// A number; one out of the range becomes `max`.
    case maximum
    /// `Yes` or `No`, where `Yes` on either side wins.
    case or
    /// `Yes` or `No`, where `No` on either side wins.
    case and
    /// `None` (1) and `CRC32C` (2), as bits.
    case digest
    /// A marker's interval, whose value is not read.
    case marker
  }

  var name: String
  var kind: Kind
  var standard: UInt32
  var range: ClosedRange<UInt32>
  /// The range of the kernel, which is silent about it but in its log.
  var kernelRange: ClosedRange<UInt32>?

  /// The value of a text; nil where ietadm refuses it.
  func value(_ text: String) -> UInt32? {
    switch kind {
    case .minimum, .maximum: return UInt32(truncatingIfNeeded: strtol(text, nil, 0))
    case .or, .and: return ["Yes": 1, "No": 0][text]
    case .marker: return 0
    case .digest:
      var bits: UInt32 = 1
      for word in text.split(separator: ",", omittingEmptySubsequences: false) {
        // Only the beginning is compared.
        if word.hasPrefix("CRC32C") { bits |= 2 } else if !word.hasPrefix("None") { return nil }
      }
      return bits
    }
  }

  /// The value that is taken for one that was asked for.
  func checked(_ value: UInt32) -> UInt32 {
    switch kind {
    case .minimum: range.contains(value) ? value : range.lowerBound
    case .maximum: range.contains(value) ? value : range.upperBound
    case .or, .and, .digest, .marker: value
    }
  }

  /// The same in the kernel.
  func kernelChecked(_ value: UInt32) -> UInt32 {
    guard let kernelRange, !kernelRange.contains(value) else { return value }
    return kernelRange.lowerBound
  }

  /// What `--op show` prints.
  func text(_ value: UInt32) -> String {
    switch kind {
    case .minimum, .maximum: String(value)
    case .or, .and: value == 1 ? "Yes" : "No"
    case .digest: value & 2 != 0 ? "CRC32C" : "None"
    case .marker: value == 0 ? "Irrelevant" : "Reject"
    }
  }

  /// What a target's value becomes when an initiator offers another.
  func negotiated(_ value: UInt32, with offer: UInt32) -> UInt32 {
    switch kind {
    case .minimum: min(value, offer)
    case .maximum: max(value, offer)
    case .or: value | offer
    case .and: value & offer
    case .digest: value & 2 != 0 && offer & 2 != 0 ? 2 : 1
    case .marker: value
    }
  }
}

enum SettingTable {
  static let target: [SettingKey] = [
    SettingKey(name: "Wthreads", kind: .minimum, standard: 8, range: 1...128),
    SettingKey(name: "Type", kind: .minimum, standard: 0, range: 0...16, kernelRange: 0...0),
    SettingKey(name: "QueuedCommands", kind: .minimum, standard: 32, range: 1...256),
    SettingKey(name: "NOPInterval", kind: .minimum, standard: 0, range: 0...90),
    SettingKey(name: "NOPTimeout", kind: .minimum, standard: 0, range: 0...90),
  ]

  private static let lengths: ClosedRange<UInt32> = 512...16_777_215

  static let session: [SettingKey] = [
    SettingKey(name: "InitialR2T", kind: .or, standard: 1, range: 0...1),
    SettingKey(name: "ImmediateData", kind: .and, standard: 1, range: 0...1),
    SettingKey(name: "MaxConnections", kind: .minimum, standard: 1, range: 1...65535, kernelRange: 1...1),
    SettingKey(
      name: "MaxRecvDataSegmentLength", kind: .minimum, standard: 8192, range: lengths,
      kernelRange: 512...262_144),
    SettingKey(
      name: "MaxXmitDataSegmentLength", kind: .minimum, standard: 8192, range: lengths,
      kernelRange: 512...262_144),
    SettingKey(name: "MaxBurstLength", kind: .minimum, standard: 262_144, range: lengths),
    SettingKey(name: "FirstBurstLength", kind: .minimum, standard: 65_536, range: lengths),
    SettingKey(name: "DefaultTime2Wait", kind: .maximum, standard: 2, range: 0...3600),
    SettingKey(name: "DefaultTime2Retain", kind: .minimum, standard: 20, range: 0...3600),
    SettingKey(name: "MaxOutstandingR2T", kind: .minimum, standard: 1, range: 1...65535),
    SettingKey(name: "DataPDUInOrder", kind: .or, standard: 1, range: 0...1, kernelRange: 1...1),
    SettingKey(name: "DataSequenceInOrder", kind: .or, standard: 1, range: 0...1, kernelRange: 1...1),
    SettingKey(name: "ErrorRecoveryLevel", kind: .minimum, standard: 0, range: 0...2, kernelRange: 0...0),
    SettingKey(name: "HeaderDigest", kind: .digest, standard: 1, range: 1...3),
    SettingKey(name: "DataDigest", kind: .digest, standard: 1, range: 1...3),
    SettingKey(name: "OFMarker", kind: .and, standard: 0, range: 0...1, kernelRange: 0...0),
    SettingKey(name: "IFMarker", kind: .and, standard: 0, range: 0...1, kernelRange: 0...0),
    SettingKey(name: "OFMarkInt", kind: .marker, standard: 2048, range: 1...65535),
    SettingKey(name: "IFMarkInt", kind: .marker, standard: 2048, range: 1...65535),
  ]

  /// What open-iscsi offers when it logs in, in the order of ``session``, digests left out.
  static let offers: [UInt32] = [
    0, 1, 1, 262_144, 262_144, 16_776_192, 262_144, 2, 0, 1, 1, 1, 0, 1, 1, 0, 0, 2048, 2048,
  ]

  /// The index of a key by its name in any case.
  static func index(_ name: String, in keys: [SettingKey]) -> Int? {
    keys.firstIndex { strcasecmp($0.name, name) == 0 }
  }

  /// The lines of `--op show`.
  static func text(_ values: [UInt32], _ keys: [SettingKey]) -> String {
    zip(keys, values).map { "\($0.name)=\($0.text($1))\n" }.joined()
  }
}
