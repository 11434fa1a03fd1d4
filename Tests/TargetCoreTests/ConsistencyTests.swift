import HostInterface
import TargetCore
import Testing

@Suite struct SharedPortalTests {
  private func changes(_ specs: [TargetSpec], _ live: LiveState, prune: Bool = false) throws -> [String] {
    try sentences(specs, from: live, .init(prune: prune)) { $0.portalScope = .implementation }
  }

  private func state(_ targets: [String]) throws -> LiveState {
    var state = LiveState()
    for name in try targets.map({ try TargetName($0) }) {
      state.targets[name] = Target(name: name, enabled: true)
    }
    state.portals = [try Portal("10.0.0.8")]
    return state
  }

  @Test func theyGoOnlyWhenTheDocumentSpeaksForEveryTarget() throws {
    let named = try spec(alpha) { $0.portals = [try Portal("10.0.0.9")] }
    let add = "add portal 10.0.0.9:3260 to the implementation"
    let remove = "remove portal 10.0.0.8:3260 from the implementation"
    #expect(try changes([named], state([alpha])) == [remove, add])
    #expect(try changes([named], state([alpha, beta])) == [add])
    #expect(try changes([named, spec(beta)], state([alpha, beta])) == [add])
    #expect(
      try changes([named], state([alpha, beta]), prune: true) == ["delete target \(beta)", remove, add])
    #expect(try changes([spec(alpha)], state([alpha])) == [])
  }

  @Test func theyCannotDiffer() throws {
    let one = try spec(alpha) { $0.portals = [try Portal("10.0.0.8"), try Portal("10.0.0.9")] }
    let same = try spec(beta) { $0.portals = [try Portal("10.0.0.9"), try Portal("10.0.0.8")] }
    let other = try spec(beta) { $0.portals = [try Portal("10.0.0.8")] }
    #expect(
      try changes([one, same], state([alpha, beta])) == ["add portal 10.0.0.9:3260 to the implementation"])
    let failure = #expect(throws: Failure.self) { try changes([one, other], state([alpha, beta])) }
    #expect(failure?.code == .unsupported)
  }
}

@Suite struct ConsistencyTests {
  private func failure(_ specs: [TargetSpec], discovery: CHAPSpec? = nil, shared: Bool = false) -> Failure? {
    var capabilities = Capabilities.ofEverything
    capabilities.sharedAccounts = shared
    let desired = DesiredState(targets: specs, discovery: discovery)
    return #expect(throws: Failure.self) {
      try Reconciler(capabilities: capabilities).changes(to: desired, from: try live())
    }
  }

  @Test func whatContradictsItselfIsRefused() throws {
    #expect(failure([try spec(alpha), try spec(alpha)])?.problem == "is named twice")
    #expect(
      failure([try spec(alpha) { $0.units = [try unit(1), try unit(1, "/other")] }])?.problem
        == "names lun 1 twice")
    #expect(
      failure([try spec(alpha) { $0.chap = CHAPSpec(incoming: [try account("a"), try account("a")]) }])?.code
        == .invalid)
    let lengths = failure([
      try spec(alpha) { $0.parameters = [.firstBurstLength: "1024", .maxBurstLength: "512"] }
    ])
    #expect(lengths?.problem.contains("FirstBurstLength (1024) over its MaxBurstLength (512)") == true)
    #expect(failure([try spec(alpha) { $0.id = 2 }])?.code == .exists)
  }

  @Test func oneNameHasOneSecretWhereAccountsAreShared() throws {
    let one = try spec(alpha) { $0.chap = CHAPSpec(incoming: [try account("a", "123456789012")]) }
    let other = try spec(beta) { $0.chap = CHAPSpec(outgoing: .some(try account("a", "another-secret"))) }
    let found = failure([one, other], shared: true)
    #expect(found?.code == .unsupported)
    #expect(found?.description.contains("another-secret") == false)
    #expect(
      failure([one], discovery: CHAPSpec(incoming: [try account("a", "another-secret")]), shared: true) != nil
    )
    let same = try spec(beta) { $0.chap = CHAPSpec(incoming: [try account("a", "123456789012")]) }
    var capabilities = Capabilities.ofEverything
    capabilities.sharedAccounts = true
    let desired = DesiredState(targets: [one, same])
    #expect(try !Reconciler(capabilities: capabilities).changes(to: desired, from: try live()).isEmpty)
  }
}
