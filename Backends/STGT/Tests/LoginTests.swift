import TargetCore
import Testing

/// CHAP, seen by a real initiator.
@Suite(.enabled(if: RealInitiator.isInstalled, RealInitiator.reason))
struct LoginTests {
  @Test func onlyTheRightSecretGetsIn() async throws {
    let disk = try await Exported.disk()
    #expect(try await RealInitiator.getsIn(disk.url()))
    try await disk.perform(
      .setAccount(disk.name, .incoming, account("jack", "jacks-secret-1"), rewrite: false))
    #expect(try await RealInitiator.getsIn(disk.url("jack%jacks-secret-1")))
    for wrong in ["jack%jacks-secret-2", "jack%jacks-secret-", "jill%jacks-secret-1", nil] {
      #expect(try await !RealInitiator.getsIn(disk.url(wrong)), "\(wrong ?? "no account")")
    }
    try await disk.perform(.clearAccount(disk.name, .incoming, CHAPUser("jack")))
    #expect(try await RealInitiator.getsIn(disk.url()))
  }

  @Test func eachOfSeveralAccountsGetsInUntilItIsCleared() async throws {
    let disk = try await Exported.disk()
    let users = ["jack", "jill", "joan"]
    for user in users {
      try await disk.perform(
        .setAccount(disk.name, .incoming, account(user, "secret-of-\(user)"), rewrite: false))
    }
    for cleared in ["jack", "joan", "jill"] {
      for user in users {
        let getsIn = try await RealInitiator.getsIn(disk.url("\(user)%secret-of-\(user)"))
        let remain = try await disk.target().chap.incoming.map(\.user.description)
        #expect(getsIn == remain.contains(user), "\(user) of \(remain)")
      }
      try await disk.perform(.clearAccount(disk.name, .incoming, CHAPUser(cleared)))
    }
  }

  @Test func aSecretWrittenAnewReplacesTheOldOne() async throws {
    let disk = try await Exported.disk()
    try await disk.perform(
      .setAccount(disk.name, .incoming, account("jack", "the-old-secret"), rewrite: false))
    try await disk.perform(
      .setAccount(disk.name, .incoming, account("jill", "secret-of-jill"), rewrite: false))
    try await disk.perform(
      .setAccount(disk.name, .incoming, account("jack", "the-new-secret"), rewrite: true))
    #expect(try await RealInitiator.getsIn(disk.url("jack%the-new-secret")))
    #expect(try await !RealInitiator.getsIn(disk.url("jack%the-old-secret")))
    #expect(try await RealInitiator.getsIn(disk.url("jill%secret-of-jill")))
    #expect(try await !RealInitiator.getsIn(disk.url()))
  }

  @Test func theTargetProvesItself() async throws {
    let disk = try await Exported.disk()
    try await disk.perform(
      .setAccount(disk.name, .incoming, account("jack", "jacks-secret-1"), rewrite: false),
      .setAccount(disk.name, .outgoing, account("target", "targets-secret"), rewrite: false))
    func url(_ user: String, _ secret: String) -> String {
      disk.url("jack%jacks-secret-1") + "?target_user=\(user)&target_password=\(secret)"
    }
    #expect(try await RealInitiator.getsIn(url("target", "targets-secret")))
    #expect(try await !RealInitiator.getsIn(url("target", "another-secret")))
    #expect(try await !RealInitiator.getsIn(url("other", "targets-secret")))
    try await disk.perform(
      .setAccount(disk.name, .outgoing, account("other", "others-secret1"), rewrite: false))
    #expect(try await RealInitiator.getsIn(url("other", "others-secret1")))
    #expect(try await !RealInitiator.getsIn(url("target", "targets-secret")))
  }

  @Test func discoveryAsksForAProof() async throws {
    let disk = try await Exported.disk()
    func finds(_ account: String?) async throws -> Bool {
      let prefix = account.map { $0 + "@" } ?? ""
      let result = try await RealInitiator.run("iscsi-ls", "iscsi://\(prefix)\(disk.tgtd.portal)")
      return result.status == 0 && String(decoding: result.output, as: UTF8.self).contains("\(disk.name)")
    }
    #expect(try await finds(nil))
    try await disk.perform(.setAccount(nil, .incoming, account("finder", "finders-secret"), rewrite: false))
    #expect(try await finds("finder%finders-secret"))
    #expect(try await !finds("finder%another-secret"))
    #expect(try await !finds(nil))
    // Discovery's accounts are no target's.
    #expect(try await RealInitiator.getsIn(disk.url()))
    try await disk.perform(.clearAccount(nil, .incoming, CHAPUser("finder")))
    #expect(try await finds(nil))
  }

  /// What a secret may have in it, an initiator can be given too.
  @Test(arguments: ["a+b/c=d_e-f.g:h", "~!@$^&*()[]|;<>?"]) func unusualSecrets(_ secret: String) async throws
  {
    let disk = try await Exported.disk()
    try await disk.perform(.setAccount(disk.name, .incoming, account("jack", secret), rewrite: false))
    let environment = ["LIBISCSI_CHAP_USERNAME": "jack", "LIBISCSI_CHAP_PASSWORD": secret]
    let right = try await RealInitiator.run("iscsi-inq", disk.url(), environment: environment)
    #expect(right.status == 0, "\(right.errors)")
    let wrong = try await RealInitiator.run(
      "iscsi-inq", disk.url(),
      environment: environment.merging(["LIBISCSI_CHAP_PASSWORD": secret + "x"]) { $1 })
    #expect(wrong.status != 0)
  }
}
