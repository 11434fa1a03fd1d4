import HostInterface

/// Session parameters under the names of RFC 7143 section 13.
public enum SessionParameter: String, Sendable, Hashable, CaseIterable, Comparable {
  case headerDigest = "HeaderDigest"
  case dataDigest = "DataDigest"
  case maxConnections = "MaxConnections"
  case initialR2T = "InitialR2T"
  case immediateData = "ImmediateData"
  case maxRecvDataSegmentLength = "MaxRecvDataSegmentLength"
  case maxXmitDataSegmentLength = "MaxXmitDataSegmentLength"
  case maxBurstLength = "MaxBurstLength"
  case firstBurstLength = "FirstBurstLength"
  case defaultTime2Wait = "DefaultTime2Wait"
  case defaultTime2Retain = "DefaultTime2Retain"
  case maxOutstandingR2T = "MaxOutstandingR2T"
  case dataPDUInOrder = "DataPDUInOrder"
  case dataSequenceInOrder = "DataSequenceInOrder"
  case errorRecoveryLevel = "ErrorRecoveryLevel"
  case ifMarker = "IFMarker"
  case ofMarker = "OFMarker"

  /// What values a parameter takes.
  public enum Domain: Sendable, Hashable {
    /// A number in a range; lengths are in bytes, times in seconds.
    case number(ClosedRange<Int>)
    /// `Yes` or `No`.
    case boolean
    /// `None`, `CRC32C`, or both in order of preference.
    case digests
    /// One value that an implementation does not let change.
    case only(String)
  }

  /// The values that RFC 7143 section 13 allows.
  public var domain: Domain {
    switch self {
    case .headerDigest, .dataDigest: .digests
    case .initialR2T, .immediateData, .dataPDUInOrder, .dataSequenceInOrder, .ifMarker, .ofMarker: .boolean
    case .maxConnections, .maxOutstandingR2T: .number(1...65535)
    case .maxRecvDataSegmentLength, .maxXmitDataSegmentLength, .maxBurstLength, .firstBurstLength:
      .number(512...16_777_215)
    case .defaultTime2Wait, .defaultTime2Retain: .number(0...3600)
    case .errorRecoveryLevel: .number(0...2)
    }
  }

  /// The value that RFC 7143 section 13 gives to it when nothing is said.
  public var standard: String {
    switch self {
    case .headerDigest, .dataDigest: "None"
    case .initialR2T, .immediateData, .dataPDUInOrder, .dataSequenceInOrder: "Yes"
    case .ifMarker, .ofMarker: "No"
    case .maxConnections, .maxOutstandingR2T: "1"
    case .maxRecvDataSegmentLength, .maxXmitDataSegmentLength: "8192"
    case .maxBurstLength: "262144"
    case .firstBurstLength: "65536"
    case .defaultTime2Wait: "2"
    case .defaultTime2Retain: "20"
    case .errorRecoveryLevel: "0"
    }
  }

  /// Finds a parameter by its name, in any case.
  ///
  /// - Throws: ``Failure`` with code `invalid` that lists the names.
  public init(named text: String) throws {
    guard let found = Self.allCases.first(where: { $0.rawValue.asciiLowercased == text.asciiLowercased })
    else {
      throw Failure(
        .invalid, "parameter \(ISCSIName.printable(text))", "is not known",
        remedy: "use one of \(Self.allCases.map(\.rawValue).joined(separator: ", ")); "
          + "an implementation's own settings are attributes")
    }
    self = found
  }

  /// Checks a value and brings it to the form of the RFC.
  ///
  /// - Throws: ``Failure`` with code `invalid` that says what is allowed.
  public func normalized(_ text: String) throws -> String {
    func refuse(_ allowed: String) -> Failure {
      Failure(
        .invalid, "parameter \(rawValue)",
        "cannot be \(ISCSIName.printable(text)), \(allowed) (RFC 7143 section 13)")
    }
    switch domain {
    case .number(let range):
      guard let number = Int(decimal: text), range.contains(number) else {
        throw refuse("\(range.lowerBound) to \(range.upperBound) are allowed")
      }
      return String(number)
    case .boolean:
      switch text.asciiLowercased {
      case "yes", "true": return "Yes"
      case "no", "false": return "No"
      default: throw refuse("Yes and No are allowed")
      }
    case .digests:
      let words = text.split(separator: ",", omittingEmptySubsequences: false).map {
        String($0).trimmed.asciiLowercased
      }
      let names = words.compactMap { ["none": "None", "crc32c": "CRC32C"][$0] }
      guard names.count == words.count, Set(names).count == names.count, !names.isEmpty else {
        throw refuse("None, CRC32C or both with a comma are allowed")
      }
      return names.joined(separator: ",")
    case .only(let value):
      guard text.asciiLowercased == value.asciiLowercased else { throw refuse("\(value) is allowed") }
      return value
    }
  }

  /// Orders by the name.
  public static func < (left: SessionParameter, right: SessionParameter) -> Bool {
    left.rawValue < right.rawValue
  }
}
