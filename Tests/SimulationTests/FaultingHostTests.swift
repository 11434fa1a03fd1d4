import HostInterface
import Simulation
import SystemPackage
import Testing

/// A daemon that counts its requests.
private final class Counter: SimulatedService {
  func attach(to host: SimulatedHost) {
    host.addDirectory("/requests")
    host.listen(at: "/run/counter", for: self)
  }

  func exchange(_ request: [UInt8], at path: FilePath, on host: SimulatedHost) -> SimulatedReply {
    host.addFile(FilePath("/requests/\(request)"))
    return .bytes([0, 0, 0, 0, 8, 0, 0, 0])
  }
}

@Suite struct FaultingHostTests {
  /// A machine, and a program of seven calls on it, each of which leaves something behind.
  private static let callCount = 7

  private func machine() -> SimulatedHost {
    let host = SimulatedHost(services: [Counter()])
    host.addFile("/srv/old")
    host.install(program: "touch") { _ in .ended(CommandResult(status: 0)) }
    host.install(module: "nbd")
    return host
  }

  private func program(on host: some Host) async throws {
    try host.createDirectory("/srv/new")
    try host.replace("/srv/new/file", with: [1], mode: 0o600)
    try host.write([2], to: "/srv/old")
    try host.createLink("/srv/link", to: "/srv/old")
    _ = try await host.exchange([9], with: "/run/counter", lengthOffset: 4, limit: .seconds(1))
    try host.loadModule("nbd")
    try host.removeFile("/srv/link")
  }

  /// How many of the program's calls had their effect.
  private func progress(of host: SimulatedHost) throws -> Int {
    let effects = [
      try host.status("/srv/new") != nil,
      try host.status("/srv/new/file") != nil,
      try host.read("/srv/old") == [2],
      try host.status("/srv/link") != nil || host.isModuleLoaded("nbd"),
      try host.status("/requests/[9]") != nil,
      try host.isModuleLoaded("nbd"),
      try host.isModuleLoaded("nbd") && host.status("/srv/link") == nil,
    ]
    return effects.firstIndex(of: false) ?? effects.count
  }

  @Test func withoutAFaultAllCallsAreCounted() async throws {
    let host = machine()
    let wrapped = FaultingHost(host, failing: nil)
    try await program(on: wrapped)
    #expect(wrapped.callCount == Self.callCount)
    #expect(try progress(of: host) == Self.callCount)
  }

  @Test(arguments: 1...callCount)
  func anErrorStopsOneCallOnly(_ position: Int) async throws {
    let host = machine()
    let wrapped = FaultingHost(host, failing: position, with: .error(.noSpace))
    let found = await failure { try await program(on: wrapped) }
    #expect(found?.errno == .noSpace)
    #expect(try progress(of: host) == position - 1)
    #expect(wrapped.callCount == position)
    try wrapped.createDirectory("/srv/afterwards")
    #expect(try host.status("/srv/afterwards") != nil)
  }

  @Test(arguments: 1...callCount, [HostFault.kill, .killAfter])
  func aKilledProgramDoesNothingMore(_ position: Int, _ fault: HostFault) async throws {
    let host = machine()
    let wrapped = FaultingHost(host, failing: position, with: fault)
    let lock = try await wrapped.lock("program", limit: .zero)
    #expect(await failure { try await program(on: wrapped) }?.code == .interrupted)
    #expect(try progress(of: host) == (fault == .kill ? position - 1 : position))
    #expect(throws: Failure.self) { try wrapped.createDirectory("/srv/afterwards") }
    #expect(throws: Failure.self) { _ = try wrapped.read("/srv/old") }
    #expect(wrapped.executable("touch") == nil)
    #expect(await failure { try await wrapped.sleep(.seconds(1)) } != nil)
    #expect(await failure { _ = try await wrapped.lock("another", limit: .zero) } != nil)
    #expect(try host.status("/srv/afterwards") == nil)
    // The kernel gives up a dead program's locks.
    lock.release()
    _ = try await host.lock("program", limit: .zero)
  }

  @Test func garbageAndSilence() async throws {
    func reply(_ fault: HostFault, _ host: SimulatedHost) async throws -> [UInt8] {
      try await FaultingHost(host, failing: 1, with: fault)
        .exchange([9], with: "/run/counter", lengthOffset: 4, limit: .seconds(1))
    }
    let noisy = machine()
    let noise = try await reply(.garbage, noisy)
    #expect(noise.count == 44 && noise != [0, 0, 0, 0, 8, 0, 0, 0])
    #expect(try noisy.status("/requests/[9]") != nil)
    for (fault, isDone) in [(HostFault.hang, false), (.hangAfter, true)] {
      let host = machine()
      #expect(await failure { _ = try await reply(fault, host) }?.code == .timedOut)
      #expect(try (host.status("/requests/[9]") != nil) == isDone)
    }
    let file = FaultingHost(machine(), failing: 1, with: .garbage)
    #expect(await failure { try file.createDirectory("/srv/new") }?.errno == .ioError)
  }

  @Test func readsCanBeLeftOut() async throws {
    let wrapped = FaultingHost(machine(), failing: 1, with: .kill) { call in
      if case .exchange(_, let bytes) = call { bytes != [0] } else { true }
    }
    _ = try await wrapped.exchange([0], with: "/run/counter", lengthOffset: 4, limit: .seconds(1))
    #expect(wrapped.callCount == 0)
    #expect(await failure { try wrapped.loadModule("nbd") } != nil)
    #expect(
      await failure {
        _ = try await wrapped.exchange([0], with: "/run/counter", lengthOffset: 4, limit: .seconds(1))
      }
        != nil)
  }
}
