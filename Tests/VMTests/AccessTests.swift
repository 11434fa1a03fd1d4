import HostInterface
import Quartet
import TargetCore
import Testing

extension InitiatorTests {
  /// Who gets in, and what it has to prove.
  struct AccessTests {
    private let lun: LUN
    private let initiators: CHAPAccount
    private let targets: CHAPAccount
    private let finders: CHAPAccount

    init() throws {
      func account(_ user: String, _ secret: String) throws -> CHAPAccount {
        try CHAPAccount(user: CHAPUser(user), secret: Secret(secret.utf8))
      }
      lun = try LUN(1)
      initiators = try account("jack", "jacks-secret-1")
      targets = try account("target", "targets-secret")
      finders = try account("finder", "finders-secret")
    }

    @Test(arguments: Exported.Kind.allCases)
    func aProofIsAskedAndGiven(kind: Exported.Kind) async throws {
      let exported = try await Exported(kind)
      let initiator = exported.initiator
      let unit = try await exported.unit(1)
      try await exported.apply([unit]) { $0.chap = CHAPSpec(incoming: [initiators]) }
      let right = proof("jack", "jacks-secret-1")
      #expect(try await initiator.logIn() == OpenISCSI.refused)
      #expect(try await initiator.logIn(proof("jack", "another-secret")) == OpenISCSI.refused)
      #expect(try await initiator.logIn(proof("jill", "jacks-secret-1")) == OpenISCSI.refused)
      #expect(try initiator.state() == nil)
      #expect(try await initiator.logIn(right) == 0)
      _ = try await initiator.disk(lun)
      try await initiator.logOut()

      try await exported.apply([unit]) { $0.chap = CHAPSpec(outgoing: targets) }
      let asked = right.merging(proof("target", "targets-secret", of: "_in")) { $1 }
      let wrong = right.merging(proof("target", "another-secret", of: "_in")) { $1 }
      #expect(try await initiator.logIn(wrong) == OpenISCSI.failed)
      #expect(try await initiator.logIn(asked) == 0)
      _ = try await initiator.disk(lun)
      try await initiator.logOut()

      try await exported.apply([unit]) { $0.chap = CHAPSpec(incoming: [], outgoing: .some(nil)) }
      // A record with accounts offers them whatever its method is.
      try await OpenISCSI.forgetAll()
      #expect(try await initiator.logIn() == 0)
      try await exported.end()
    }

    @Test(arguments: Exported.Kind.allCases)
    func discoveryAsksForAProof(kind: Exported.Kind) async throws {
      let exported = try await Exported(kind)
      let initiator = exported.initiator
      try await exported.apply([exported.unit(1)])
      try await exported.perform(.setAccount(nil, .incoming, finders, rewrite: true))
      func found(_ secret: String) async throws -> [String] {
        try await initiator.discover([
          "auth.authmethod": "CHAP", "auth.username": "finder", "auth.password": secret,
        ])
      }
      #expect(try await initiator.discover() == [])
      #expect(try await found("another-secret") == [])
      #expect(try await found("finders-secret") == ["\(exported.name)"])
      #expect(try await initiator.logIn() == 0)
      try await exported.perform(.clearAccount(nil, .incoming, finders.user))
      try await exported.end()
    }

    @Test(arguments: Exported.Kind.allCases)
    func onlyThoseNamedGetIn(kind: Exported.Kind) async throws {
      let exported = try await Exported(kind)
      let initiator = exported.initiator
      let name = "iqn.1993-08.org.debian:01:other"
      let other = try await OpenISCSI(exported.name, at: kind.portal, as: name)
      try await exported.apply([exported.unit(1)])
      #expect(try await other.logIn() != 0)
      #expect(try other.state() == nil)
      #expect(try await initiator.logIn() == 0)
      try await initiator.logOut()
      try await exported.perform(.allow(exported.name, Initiator(name)))
      #expect(try await other.logIn() == 0)
      _ = try await other.disk(lun)
      try await other.logOut()
      try await exported.perform(
        .deny(exported.name, Initiator(name)), .deny(exported.name, Initiator(Exported.initiator)))
      #expect(try await other.logIn() != 0)
      #expect(try await initiator.logIn() != 0)
      try await exported.end()
    }

    /// The settings of a proof: by default the initiator's, with `_in` the target's.
    private func proof(_ user: String, _ secret: String, of side: String = "") -> [String: String] {
      let prefix = "node.session.auth."
      return [
        "\(prefix)authmethod": "CHAP", "\(prefix)username\(side)": user, "\(prefix)password\(side)": secret,
      ]
    }
  }
}
