import BlockEngine
import ExtentPool
import HostInterface
import LinuxBlockDevices
import ReplicatedVolume
import SystemPackage

/// Makes an embedded pool: its files, the mirror over them, the extents on that, and the description.
///
/// The description is written first and says that the pool is not complete, and again at the end: a run that was killed
/// is finished by running it again, and what it left on the legs is known to be its own.
package struct PoolCreation: Sendable {
  /// What the pool is called.
  package var name: PoolName
  /// Its legs, in the order of their numbers.
  package var legs: [LegAddress]
  /// The size in bytes of files that do not exist.
  package var size: UInt64?
  /// The size of an extent in bytes, a power of two from 64 KiB to 1 GiB; nil for 4 MiB, or what a pool has that is
  /// there already.
  package var extentSize: UInt64?
  /// Whether what stands on the legs may be lost.
  package var wipe = false
  /// What to do about a leg that has something on it.
  package var wipeRemedy = "say --wipe if that is not needed"
  /// Whether new files get their blocks only when they are written.
  package var sparse = false

  private static let usualExtentSize: UInt64 = 4 << 20

  /// A pool on these legs.
  package init(name: PoolName, legs: [LegAddress]) { (self.name, self.legs) = (name, legs) }

  /// What is to be done, in words, when all of it has been checked; empty when the pool is there already.
  package struct Proposal: Sendable {
    package var actions: [String] = []
    package var warnings: [String] = []
    var newFiles: [String] = []
    var toWipe: [String] = []
    /// The legs that are there, by what identifies them.
    var found: [String: String] = [:]
    var id = ""
    var isResumed = false
    /// Whether nothing but zeroes stands on any leg.
    var isBlank = true
  }

  /// Checks everything without touching anything.
  package func proposal(on host: any Host, _ places: PoolPlaces) async throws -> Proposal {
    var proposal = Proposal()
    try checkArguments(places)
    if let existing = try places.read(name, on: host) {
      guard existing.legs == legs else { throw Self.hasOtherLegs(existing) }
      if !existing.isBeingCreated {
        if extentSize != nil {
          let report = try await EmbeddedPools(on: host, places: places).report(existing)
          try report.refuseOtherExtents(extentSize, named: "--extent-size")
        }
        return proposal
      }
      (proposal.isResumed, proposal.id) = (true, existing.id)
    } else {
      proposal.id = PoolDescription.id(of: (0..<16).map { _ in .random(in: .min ... .max) })
    }
    for leg in legs { try await look(at: leg, on: host, &proposal) }
    let kind = legs.count == 1 ? "pool" : "mirror and the pool"
    let shown = legs.map(\.description).joined(separator: ", ")
    proposal.actions.append("write the metadata of the \(kind) \(name) on \(shown)")
    proposal.actions.append("write \(places.description(of: name))")
    return proposal
  }

  static func hasOtherLegs(_ existing: PoolDescription) -> Failure {
    Failure(
      .exists, "pool \(existing.name)", "exists already, with other legs",
      answer: existing.legs.map(\.description).joined(separator: ", "), remedy: "choose another name")
  }

  func checkArguments(_ places: PoolPlaces) throws {
    guard (1...PoolDescription.legLimit).contains(legs.count) else {
      throw Failure(
        .invalid, "pool \(name)", "cannot have \(legs.count) legs, only 1 to \(PoolDescription.legLimit)")
    }
    guard Set(legs).count == legs.count else { throw Failure(.invalid, "pool \(name)", "has a leg twice") }
    // sun_path has 108 bytes with its end (unix(7)).
    let socket = places.control(of: name).string
    guard socket.utf8.count < 108 else {
      throw Failure(
        .invalid, "pool \(name)", "has too long a name: its socket \(socket) would have over 107 bytes")
    }
    if let extentSize, extentSize.nonzeroBitCount != 1 || !(64 << 10...1 << 30).contains(extentSize) {
      throw Failure(
        .invalid, "pool \(name)", "cannot have extents of \(extentSize) bytes",
        remedy: "use a power of 2 from 64K to 1G, such as 4M")
    }
    if let size, size > 1 << 60 { throw Failure(.invalid, "pool \(name)", "cannot have legs over 1 EiB") }
  }

  func look(at leg: LegAddress, on host: any Host, _ proposal: inout Proposal) async throws {
    guard case .path(let path) = leg else {
      proposal.isBlank = false
      return
    }
    let file = FilePath(path)
    guard let status = try host.status(file) else {
      if let target = try? host.readLink(file) {
        throw Failure(
          .notFound, "leg \(path)", "is a link to \(target), which does not exist",
          remedy: "name that, and say --size, or remove the link")
      }
      guard let size else {
        throw Failure(
          .notFound, "leg \(path)", "does not exist", remedy: "say --size, and a file of that size is made")
      }
      guard !path.hasPrefix("/dev/") else {
        throw Failure(.notFound, "leg \(path)", "does not exist, and no file is made in /dev")
      }
      guard try host.status(file.removingLastComponent())?.kind == .directory else {
        throw Failure(.notFound, "leg \(path)", "is to be made in a directory that does not exist")
      }
      proposal.newFiles.append(path)
      proposal.actions.append("create file \(path) of \(size) bytes")
      return
    }
    guard status.kind == .file || status.kind == .blockDevice else {
      throw Failure(.invalid, "leg \(path)", "is neither a file nor a block device")
    }
    if let other = proposal.found.updateValue(path, forKey: status.identity) {
      throw Failure(.inUse, "leg \(path)", "is leg \(other) by another name", remedy: "name another disk")
    }
    if let holder = try host.holders(of: file).first {
      throw Failure(.inUse, "leg \(path)", "is \(holder)", remedy: "release it first")
    }
    if status.kind == .blockDevice || !LegFile.isHole(path) { proposal.isBlank = false }
    if let size, size != status.size, !proposal.isResumed {
      proposal.warnings.append("\(path) exists, with \(status.size) bytes; --size is for new files")
    }
    let signatures = try await VolumeDriver(on: host).signatures(on: leg.description)
    guard !signatures.isEmpty else { return }
    guard wipe || proposal.isResumed else {
      throw Failure(
        .inUse, "leg \(path)", "has something on it: \(Set(signatures).sorted().joined(separator: ", "))",
        remedy: wipeRemedy)
    }
    proposal.toWipe.append(path)
    proposal.actions.append("erase \(Set(signatures).sorted().joined(separator: ", ")) on \(path)")
  }

  /// Makes the pool.
  ///
  /// - Returns: What was done; its actions are empty when the pool was there already.
  /// - Throws: ``Failure``; the files that were made are removed again.
  package func perform(on host: any Host, _ places: PoolPlaces) async throws -> Proposal {
    let proposal = try await proposal(on: host, places)
    guard !proposal.actions.isEmpty else { return proposal }
    var description = PoolDescription(name: name, id: proposal.id, legs: legs)
    description.isBeingCreated = true
    var made: [String] = []
    do {
      for path in proposal.newFiles {
        try LegFile.create(path, size: size ?? 0, sparse: sparse)
        made.append(path)
      }
      if !wipe, !proposal.isResumed { try refuseMetadata(proposal) }
      try places.write(description, on: host)
      for path in proposal.toWipe { try await erase(path, on: host) }
      try format(proposal)
      description.isBeingCreated = false
      try places.write(description, on: host)
      return proposal
    } catch {
      for path in made { try? host.removeFile(FilePath(path)) }
      // What stood on legs that were there before may be overwritten in part: then the rerun has to know it.
      if made.count == legs.count || !proposal.isResumed {
        try? host.removeFile(places.description(of: name))
      }
      throw error
    }
  }

  private func erase(_ path: String, on host: any Host) async throws {
    let command = Command(["wipefs", "--all", Text(path)], environment: ["LC_ALL": "C"])
    let result = try await host.run(command)
    guard result.status == 0 else {
      throw Failure(.refused, "leg \(path)", "cannot be erased", answer: result.errors.trimmed)
    }
  }

  /// Refuses legs of other pools before the description is written, by which they would be taken for this one's.
  private func refuseMetadata(_ proposal: Proposal) throws {
    let loop = try AIOLoop()
    let devices = try legs.map { try PoolLegs.open($0, on: loop) }
    for device in devices {
      let label: Result<ExtentPool, Failure> = try loop.finish(device.name, limit: OpenPool.limit) {
        ExtentPool.open(on: ReadOnlyView(device, size: device.size), $0)
      }
      let isLeg = (try? MirrorExamination.of(device, on: loop)) != nil
      if case .failure(let failure) = label, failure.code == .notFound, !isLeg { continue }
      throw Failure(
        .exists, "leg \(device.name)", "has a pool on it, or is a leg of one",
        remedy: "`quartet pool import` takes that pool into use; \(wipeRemedy)")
    }
  }

  private func format(_ proposal: Proposal) throws {
    let loop = try AIOLoop()
    let devices = try legs.map { try PoolLegs.open($0, on: loop) }
    let id = PoolDescription(name: name, id: proposal.id, legs: legs).idBytes
    guard let only = devices.first, devices.count == 1 else {
      let failure: Failure? = try loop.finish("pool \(name)", limit: OpenPool.limit) {
        Mirror.create(
          on: devices, id: id, data: proposal.isBlank ? .identical : .ofFirstLeg, overwrite: true,
          random: { .random(in: 1 ... .max) }, $0)
      }
      if let failure { throw failure }
      let opened: Result<Mirror, Failure> = try loop.finish("pool \(name)", limit: OpenPool.limit) {
        Mirror.open(on: devices, clock: loop, random: { .random(in: 1 ... .max) }, $0)
      }
      let mirror = try opened.get()
      try createPool(on: mirror, id, loop)
      let end: Failure? = try loop.finish("pool \(name)", limit: OpenPool.limit) { mirror.close($0) }
      if let end { throw end }
      return
    }
    try createPool(on: only, id, loop)
  }

  private func createPool(on device: any BlockDevice, _ id: [UInt8], _ loop: AIOLoop) throws {
    let made: Result<ExtentPool, Failure> = try loop.finish("pool \(name)", limit: OpenPool.limit) {
      ExtentPool.create(
        on: device, id: id, extentSize: Int(extentSize ?? Self.usualExtentSize), overwrite: true, $0)
    }
    do { _ = try made.get() } catch var failure {
      if failure.subject == "mirror" { failure.subject = "pool \(name)" }
      throw failure
    }
  }
}
