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
    case nothing, garbage, refusal, doneAndNothingMore

    func line() throws -> [UInt8] {
      switch self {
      case .nothing: []
      case .garbage: Array("nonsense\n".utf8)
      case .refusal: try ControlMessage.encode(.failed(Failure(.refused, "leg", "is none")))
      case .doneAndNothingMore: try ControlMessage.encode(.done(changed: true))
      }
    }
  }

  @Test(arguments: Answer.allCases)
  func aFileIsRemovedOnlyWhenItIsCertainThatItIsNoLeg(_ answer: Answer) async throws {
    var template = Array("/tmp/quartet-replace-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let host = LocalHost(lockDirectory: FilePath(folder))
    let pools = EmbeddedPools(
      on: host, places: PoolPlaces(descriptions: FilePath(folder + "/pools"), runtime: FilePath(folder)))
    let files = ["a", "b", "new"].map { folder + "/" + $0 }
    let legs = try files.map { try LegAddress($0) }
    let name = try PoolName("p")
    var creation = PoolCreation(name: name, legs: Array(legs[..<2]))
    (creation.size, creation.extentSize, creation.sparse) = (8 << 20, 64 << 10, true)
    _ = try await creation.perform(on: host, pools.places)
    let description = try pools.existing(name)
    let report = try ControlMessage.encode(.report(try await pools.report(description)))
    let path = pools.places.control(of: name)
    try pools.places.makeDirectory(path.removingLastComponent(), on: host)
    let line = try answer.line()
    let server = try EngineThread { loop in
      var isAsked = false
      return try RudeServer(path, on: loop) { request in
        if String(decoding: request, as: UTF8.self).contains("replaceLeg") {
          isAsked = true
          return line
        }
        return isAsked && answer == .doneAndNothingMore ? [] : report
      }
    }
    var replacement = LegReplacement(of: legs[1], by: legs[2], in: description)
    (replacement.size, replacement.sparse) = (8 << 20, true)
    let failure = await #expect(throws: Failure.self) {
      try await replacement.perform(in: pools, options: EmbeddedPools.Options())
    }
    #expect(failure?.code == (answer == .refusal ? .refused : .garbled))
    #expect((try host.status(FilePath(files[2])) == nil) == (answer == .refusal))
    server.end()
    _ = try await host.run(["rm", "-r", folder], environment: [:], input: [], limit: .seconds(10))
  }
}
