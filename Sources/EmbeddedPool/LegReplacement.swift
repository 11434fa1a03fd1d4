import HostInterface
import LinuxBlockDevices
import ReplicatedVolume
import SystemPackage

/// Puts another disk in the place of a leg of an embedded pool, whether the pool is served or not.
package struct LegReplacement: Sendable {
  private let description: PoolDescription
  private let former, new: LegAddress
  /// The size in bytes of a file that does not exist.
  package var size: UInt64?
  /// Whether what stands on the new disk may be lost.
  package var wipe = false
  /// Whether a new file gets its blocks only when they are written.
  package var sparse = false

  /// The replacement of a leg; both may be at the same path when another disk is there now.
  package init(of former: LegAddress, by new: LegAddress, in description: PoolDescription) {
    (self.former, self.new, self.description) = (former, new, description)
  }

  private var name: PoolName { description.name }

  /// What is to be done, in words, as far as a look at the new disk tells; nothing is touched.
  ///
  /// - Throws: ``Failure`` as making a pool on the disk does.
  package func proposal(in pools: EmbeddedPools) async throws -> PoolCreation.Proposal {
    guard description.legs.count > 1 else {
      throw Failure(.unsupported, "pool \(name)", "has one leg, and so nothing to copy to another one")
    }
    var proposal = PoolCreation.Proposal()
    guard description.legs.contains(former) else {
      if description.legs.contains(new) { return proposal }
      throw Failure(
        .notFound, "leg \(former)", "is none of pool \(name)",
        remedy: "its legs are \(description.legs.map(\.description).joined(separator: ", "))")
    }
    guard former == new || !description.legs.contains(new) else {
      throw Failure(
        .inUse, "leg \(new)", "is another leg of pool \(name)", remedy: "name a disk that is not in use")
    }
    let legs = try await pools.report(description).legs
    let isThere = legs.contains {
      $0.address == new.description && [.upToDate, .syncing, .outdated].contains($0.status)
    }
    if former == new, isThere { return proposal }
    var look = PoolCreation(name: name, legs: [new])
    (look.size, look.wipe) = (size, wipe)
    try await look.look(at: new, on: pools.host, &proposal)
    proposal.actions.append("replace leg \(former) of pool \(name) by \(new), and copy everything to it")
    proposal.actions.append("write \(pools.places.description(of: name))")
    return proposal
  }

  /// Replaces the leg; while the pool is served the copying goes on in the background, else this waits for its end.
  ///
  /// - Returns: What was done; its actions are empty when it was done before.
  package func perform(
    in pools: EmbeddedPools, options: EmbeddedPools.Options
  ) async throws -> PoolCreation.Proposal {
    var proposal = try await proposal(in: pools)
    if proposal.actions.isEmpty { return proposal }
    for path in proposal.newFiles { try LegFile.create(path, size: size ?? 0, sparse: sparse) }
    do {
      let request = PoolRequest.replaceLeg(old: former.description, new: new.description, wipe: wipe)
      let isChanged = try await pools.attempt(request, on: description, options: options).changed
      if !isChanged { proposal.actions = [] }
      return proposal
    } catch let unsure as EmbeddedPools.UnsureFailure {
      // The file may be a leg by now, or become one.
      throw unsure.failure
    } catch {
      let isNamed = former != new && (try? pools.existing(name).legs.contains(new)) != false
      if !isNamed { for path in proposal.newFiles { try? pools.host.removeFile(FilePath(path)) } }
      throw error
    }
  }
}
