import FoundationEssentials
import Glibc
import HostInterface
import LinuxBlockDevices
import LinuxHost
import ReplicatedVolume
import SystemPackage
import Testing

@testable import EmbeddedPool

/// What becomes of a new file when the process that serves the pool does not make it a leg, or does not say so.
@Suite struct LegReplacementTests {
  /// What the process answers when it is to replace the leg, and to the next report.
  enum Answer: CaseIterable {
    case nothing, garbage, refusal, doneAndGarbage

    var code: Failure.Code {
      switch self {
      case .nothing: .unavailable
      case .garbage, .doneAndGarbage: .garbled
      case .refusal: .refused
      }
    }

    func line() throws -> [UInt8] {
      switch self {
      case .nothing: []
      case .garbage: Array("nonsense\n".utf8)
      case .refusal: try ControlMessage.encode(.failed(Failure(.refused, "leg", "is none")))
      case .doneAndGarbage: try ControlMessage.encode(.done(changed: true))
      }
    }
  }

  /// A pool on two files that nobody serves, and a third file that is not there.
  private func withPool(
    _ body: (EmbeddedPools, PoolDescription, _ new: LegAddress) async throws -> Void
  ) async throws {
    var template = Array("/tmp/quartet-replace-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let host = LocalHost(lockDirectory: FilePath(folder))
    let pools = EmbeddedPools(
      on: host, places: PoolPlaces(descriptions: FilePath(folder + "/pools"), runtime: FilePath(folder)))
    let legs = try ["a", "b", "new"].map { try LegAddress(folder + "/" + $0) }
    var creation = PoolCreation(name: try PoolName("p"), legs: Array(legs[..<2]))
    (creation.size, creation.extentSize, creation.sparse) = (8 << 20, 64 << 10, true)
    _ = try await creation.perform(on: host, pools.places)
    try pools.places.makeDirectory(pools.places.control(of: creation.name).removingLastComponent(), on: host)
    try await body(pools, pools.existing(creation.name), legs[2])
  }

  @Test(arguments: Answer.allCases)
  func aFileIsRemovedOnlyWhenItIsCertainThatItIsNoLeg(_ answer: Answer) async throws {
    try await withPool { pools, description, new in
      let report = try ControlMessage.encode(.report(try await pools.report(description)))
      let path = pools.places.control(of: description.name)
      let line = try answer.line()
      let server = try SharedEngine { loop in
        var isAsked = false
        return try RudeServer(path, on: loop) { request in
          if String(decoding: request, as: UTF8.self).contains("replaceLeg") {
            isAsked = true
            return line
          }
          return isAsked && answer == .doneAndGarbage ? Array("{}\n".utf8) : report
        }
      }
      defer { server.end() }
      var replacement = LegReplacement(of: description.legs[1], by: new, in: description)
      (replacement.size, replacement.sparse) = (8 << 20, true)
      let failure = await #expect(throws: Failure.self) {
        try await replacement.perform(in: pools, options: EmbeddedPools.Options())
      }
      #expect(failure?.code == answer.code)
      #expect((try pools.host.status(FilePath(new.description)) == nil) == (answer == .refusal))
    }
  }

  /// Whoever connects to a process that is just being killed gets no answer, and asks nobody the next time.
  @Test func whileTheProcessEndsTheLegsAreLookedAt() async throws {
    try await withPool { pools, description, _ in
      let path = pools.places.control(of: description.name)
      let server = try SharedEngine { loop in
        var asked = 0
        return try RudeServer(path, on: loop) { _ in
          asked += 1
          if asked == 3 { unlink(path.string) }
          return []
        }
      }
      defer { server.end() }
      let report = try await pools.report(description)
      #expect(report.server == nil && report.legs.count == 2)
    }
  }
}
