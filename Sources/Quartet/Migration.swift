import HostInterface
import SystemPackage
import TargetCore

/// Moves targets from one implementation of a machine to another.
///
/// The destination gets the whole target, out of service; then the source's goes out of service, its sessions are closed
/// and its caches written, and the destination's goes into service. Only when the destination reads back right is the
/// target removed from the source. When the destination fails, it is undone, and the source serves again. What is being
/// done stands in a file, so that a run that was killed is finished by running it again.
public struct Migration: Sendable {
  /// What is moved, and how far that may go.
  public struct Options: Sendable {
    /// The targets; nil is all.
    public var targets: Set<TargetName>?
    /// Where the destination serves them, instead of where the source did.
    public var portals: [Portal]?
    /// What the source does not tell: secrets of CHAP accounts, serial numbers, SCSI ids.
    public var supplement: DesiredState
    /// Whether what does not carry over may be lost.
    public var acceptsLosses: Bool
    /// Whether a serial number may change where the destination can keep only one of it and the WWID.
    public var givesUpSerial: Bool
    /// The directory of the file that says what is being done, on the machine itself and gone with its next start.
    public var directory: FilePath
    /// How the changes are made.
    public var perform: PerformOptions
    /// Called with what does not carry over and what else is worth a word, before anything is touched.
    public var announce: @Sendable (Migration.Report) -> Void

    /// Options; by default all targets move, and nothing may be lost.
    public init() {
      targets = nil
      portals = nil
      supplement = DesiredState()
      acceptsLosses = false
      givesUpSerial = false
      directory = "/run/quartet"
      perform = PerformOptions()
      announce = { _ in }
    }
  }

  /// What was done, or would be.
  public struct Report: Sendable {
    /// One part, at one of the two implementations.
    public struct Part: Sendable {
      /// What it is for.
      public var title: String
      /// The implementation that is changed.
      public var implementation: String
      /// The changes.
      public var changes: [Change]
      /// Their steps.
      public var plan: Plan
    }

    /// The targets that move.
    public var targets: [TargetName]
    /// Whether a run that was killed is finished.
    public var isResumed: Bool
    /// What does not carry over.
    public var losses: [String]
    /// What is worth a word besides.
    public var remarks: [String]
    /// The parts in their order.
    public var parts: [Part]
  }

  let source: Implementation
  let destination: Implementation
  let options: Options

  /// A migration between two implementations of one machine.
  ///
  /// - Throws: ``Failure`` with code `invalid` when they are the same.
  public init(from source: Implementation, to destination: Implementation, options: Options = Options())
    throws
  {
    guard source.backend.lockName != destination.backend.lockName else {
      throw Failure(
        .invalid, "migration", "goes from \(source.descriptor.name) to itself",
        remedy: "name two different implementations")
    }
    self.source = source
    self.destination = destination
    self.options = options
  }

  var host: any Host { source.host }
  var names: (source: String, destination: String) { (source.descriptor.name, destination.descriptor.name) }
  static let everything = ReadDetail(parameters: .all, shared: true)

  /// Moves the targets.
  ///
  /// - Returns: What was done, or with ``PerformOptions/dryRun`` what would be.
  /// - Throws: ``Failure``; with code `refused` when something would be lost and that was not accepted.
  public func run() async throws -> Report {
    let lock =
      options.perform.dryRun ? nil : try await host.lock("migration", limit: options.perform.lockLimit)
    defer { lock?.release() }
    let journal = MigrationJournal(host: host, directory: options.directory, names: names)
    var (record, report) = try await recordAndReport(journal.load())
    if !options.perform.dryRun || report.isResumed { options.announce(report) }
    if record.specs.isEmpty { return report }
    if !report.losses.isEmpty, !options.acceptsLosses, !options.perform.dryRun {
      throw Failure(
        .refused, "migration from \(names.source) to \(names.destination)",
        "would lose \(report.losses.count) things, nothing was touched",
        answer: report.losses.joined(separator: "; "), remedy: "say --accept-losses if that is meant")
    }
    let run = MigrationRun(migration: self, record: record, journal: journal)
    if options.perform.dryRun {
      report.parts = try await run.rehearse()
      return report
    }
    if !report.isResumed {
      // What the destination could not do is found before anything is touched.
      _ = try await run.rehearse()
      record.isBegun = true
      try journal.store(record)
    }
    report.parts = try await run.carryOut(isResumed: report.isResumed)
    return report
  }

  private func recordAndReport(_ begun: MigrationRecord?) async throws -> (MigrationRecord, Report) {
    let live = try await source.read(Self.everything)
    let there = try await destination.read(Self.everything)
    if let begun { return try resumed(begun, live, there) }
    let targets = try chosen(in: live)
    for target in targets where there.targets[target.name].map({ !$0.isUnfinished }) ?? false {
      throw Failure(
        .exists, "target \(target.name)", "is at \(names.destination) already",
        remedy: "delete it there first, or choose other targets")
    }
    let host = host
    let translator = MigrationTranslator(
      source: source.backend, destination: destination.backend, names: names, live: live, options: options
    ) { path in (try? host.status(FilePath(path)))?.kind }
    var document = translator.document(of: targets)
    document.losses += discoveryLosses(live)
    document.obstacles += portObstacles(document, live)
    document.keepPortals(there.portals, of: destination.backend.capabilities)
    guard document.obstacles.isEmpty else {
      throw Failure(
        .unsupported, "migration from \(names.source) to \(names.destination)",
        "cannot be done, nothing was touched",
        answer: document.obstacles.joined(separator: "; "))
    }
    let record = MigrationRecord(
      origin: document.origin, specs: document.specs, portalsThere: there.portals)
    let report = Report(
      targets: targets.map(\.name), isResumed: false, losses: document.losses,
      remarks: live.remarks + document.remarks, parts: [])
    return (record, report)
  }

  /// Secrets are not in the record: they are where they were, at the source, or at the destination already.
  private func resumed(_ record: MigrationRecord, _ live: LiveState, _ there: LiveState) throws
    -> (MigrationRecord, Report)
  {
    var record = record
    for index in record.specs.indices {
      let name = record.specs[index].name
      let extra = options.supplement.targets.first { $0.name == name }?.chap
      let places = [live.targets[name]?.chap, there.targets[name]?.chap].compactMap { $0 }
      record.specs[index].chap?.take(
        incoming: places.flatMap(\.incoming) + (extra?.incoming ?? []),
        outgoing: places.compactMap(\.outgoing) + [extra?.outgoing ?? nil].compactMap { $0 })
      record.origin[index].chap?.take(
        incoming: places.flatMap(\.incoming) + (extra?.incoming ?? []),
        outgoing: places.compactMap(\.outgoing) + [extra?.outgoing ?? nil].compactMap { $0 })
    }
    let names = record.specs.map(\.name)
    return (record, Report(targets: names, isResumed: true, losses: [], remarks: [], parts: []))
  }

  private func chosen(in live: LiveState) throws -> [Target] {
    guard let wanted = options.targets else { return live.targets.values.sorted { $0.name < $1.name } }
    return try wanted.sorted().map { name in
      guard let target = live.targets[name] else {
        throw Failure(
          .notFound, "target \(name)", "does not exist at \(names.source)",
          remedy: "see `quartet target list`")
      }
      return target
    }
  }

  private func discoveryLosses(_ live: LiveState) -> [String] {
    let users = live.discovery.incoming.map(\.user) + [live.discovery.outgoing?.user].compactMap { $0 }
    guard !users.isEmpty else { return [] }
    return [
      "CHAP of discovery stays behind (\(users.map(\.description).joined(separator: ", "))); "
        + "`quartet chap set --discovery` sets it at \(names.destination)"
    ]
  }

  /// Why the destination could not have its portals when the source lets go of those targets.
  private func portObstacles(_ document: MigrationDocument, _ live: LiveState) -> [String] {
    guard !destination.backend.capabilities.daemonListens else { return [] }
    let wanted = Set(document.specs.flatMap { $0.portals ?? [] })
    let moving = Set(document.specs.map(\.name))
    let staying = live.targets.values.filter { !moving.contains($0.name) }
    let isDaemon = source.backend.capabilities.daemonListens
    let kept =
      isDaemon
      ? Set(live.targets.values.flatMap { $0.portals ?? [] })
      : Set(staying.flatMap { $0.portals ?? live.portals })
    return wanted.sorted().filter { portal in kept.contains { $0.clashes(with: portal, isDaemon: isDaemon) } }
      .map {
        isDaemon
          ? "portal \($0): the daemon of \(names.source) keeps its port for as long as it runs; name another with --portal"
          : "portal \($0): targets that stay at \(names.source) are reached there; move them too, or name another "
            + "with --portal"
      }
  }
}

extension Portal {
  /// Whether two sockets cannot listen at both; a daemon's listens at every address of its port.
  func clashes(with other: Portal, isDaemon: Bool) -> Bool {
    guard port == other.port else { return false }
    return isDaemon || address == other.address || address.isUnspecified || other.address.isUnspecified
  }
}

extension CHAPSpec {
  /// Takes over the secrets that others know.
  fileprivate mutating func take(incoming others: [CHAPAccount], outgoing: [CHAPAccount]) {
    func known(_ account: CHAPAccount, _ others: [CHAPAccount]) -> CHAPAccount {
      guard account.secret == nil else { return account }
      return others.first { $0.user == account.user && $0.secret != nil } ?? account
    }
    incoming = incoming?.map { known($0, others) }
    if case .some(.some(let account)) = self.outgoing { self.outgoing = .some(known(account, outgoing)) }
  }
}
