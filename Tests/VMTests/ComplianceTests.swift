import HostInterface
import LinuxHost
import Quartet
import TargetCore
import Testing

extension InitiatorTests {
  /// libiscsi's compliance suite on a logical unit of LIO that Quartet made.
  struct ComplianceTests {
    /// What is run: what depends on settings that Quartet makes, and two families on the wire.
    ///
    /// The thousands of reads and writes of the rest try the kernel alone, and take another minute here. Reserve6.Logout
    /// logs in again before a busy kernel has released what the session had reserved.
    static let families = [
      "Pr*", "Inquiry", "M*", "ReadCapacity1*", "ReadOnly", "Re[cp]*", "CompareAndWrite", "ExtendedCopy",
      "Unmap", "Test*", "iSCSIT*", "iSCSIR*",
    ]

    /// What fails by the kernel, with Linux 6.1 and libiscsi 1.19.0.
    static let knownFailures = [
      "CompareAndWrite.Simple":
        "a length that is not the CDB's is told as INVALID FIELD IN COMMAND INFORMATION UNIT",
      "CompareAndWrite.Miscompare": "as CompareAndWrite.Simple",
      "ReceiveCopyResults.CopyStatus": "the kernel has no COPY STATUS",
      "iSCSIResiduals.Write10Residuals": "the kernel rejects writes whose length is not the CDB's",
      "iSCSIResiduals.Write12Residuals": "as Write10Residuals",
      "iSCSIResiduals.Write16Residuals": "as Write10Residuals",
      "iSCSIResiduals.WriteVerify10Residuals": "as Write10Residuals",
      "iSCSIResiduals.WriteVerify16Residuals": "as Write10Residuals",
    ]

    @Test func failsWhatTheKernelFailsAndNoMore() async throws {
      let exported = try await Exported(.lio)
      let initiator = "iqn.2007-10.com.github:sahlberg:libiscsi:iscsi-test"
      let unit = try await exported.unit(0) { ($0.cache, $0.thin) = (.back, true) }
      try await exported.apply([unit]) {
        $0.initiators = [try Initiator(initiator), try Initiator(initiator + "-2")]
      }
      var failed: Set<String> = []
      var ran = 0
      for family in Self.families {
        let result = try await LocalHost().run(
          [
            "iscsi-test-cu", "--dataloss", "--normal", "--test=ALL.\(family)",
            "iscsi://\(exported.kind.portal)/\(exported.name)/0",
          ], environment: [:], input: [], limit: .seconds(120))
        let lines = String(decoding: result.output, as: UTF8.self).split(separator: "\n")
        // "Suite GetLBAStatus, Test BeyondEol had failures:" and "tests 230 230 222 8 0"
        let words = lines.map { $0.split(separator: " ") }
        let failures = words.filter { $0.count == 6 && $0.first == "Suite" && $0.last == "failures:" }
        failed.formUnion(failures.map { "\($0[1].dropLast()).\($0[3])" })
        let counts = words.first { $0.first == "tests" && $0.count == 6 }?.compactMap { Int($0) } ?? []
        try #require(counts.count == 5 && counts[0] > 0, "\(family): \(lines.suffix(20))")
        #expect(counts[1] == counts[0] && counts[3] == failures.count, "\(family): \(lines.suffix(20))")
        ran += counts[0]
      }
      #expect(failed == Set(Self.knownFailures.keys))
      #expect(ran > 80)
      try await exported.end()
    }
  }
}
