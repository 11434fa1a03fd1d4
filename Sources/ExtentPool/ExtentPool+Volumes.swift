import BlockEngine
import HostInterface

extension ExtentPool {
  /// Creates a volume of this many extents.
  ///
  /// - Parameters:
  ///   - name: A name that no volume has.
  ///   - extents: The size in extents, at least one.
  ///   - policy: Which extents it gets.
  ///   - completion: Called with nil when the volume is durable.
  package func createVolume(
    _ name: VolumeName, extents: Int, policy: AllocationPolicy = .normal,
    _ completion: @escaping (Failure?) -> Void
  ) {
    change(
      { state in
        guard state.names[name] == nil else {
          throw Failure(.exists, "volume \(name)", "there is a volume of this name in the pool already")
        }
        let wanted = try self.count(extents, of: name)
        let runs = try state.choose(wanted, policy, after: nil, subject: "volume \(name)")
        return .create(id: state.nextID, name, runs)
      }, completion)
  }

  /// Adds extents at the end of a volume, which may be in use.
  package func extendVolume(
    _ name: VolumeName, by extents: Int, policy: AllocationPolicy = .normal,
    _ completion: @escaping (Failure?) -> Void
  ) {
    change(
      { state in
        let volume = try state.volume(name)
        let wanted = try self.count(extents, of: name)
        let last = volume.segments.last?.end
        return .extend(
          id: volume.id, try state.choose(wanted, policy, after: last, subject: "volume \(name)"))
      }, completion)
  }

  /// Cuts the end of a volume off, which must not be in use; what was there is lost.
  package func shrinkVolume(_ name: VolumeName, to extents: Int, _ completion: @escaping (Failure?) -> Void) {
    change(
      { state in
        let volume = try self.unused(state.volume(name))
        guard extents > 0, extents < Int(volume.count) else {
          throw Failure(
            .invalid, "volume \(name)",
            "it cannot be shrunk to \(extents) extents: it has \(volume.count), and at least one must stay")
        }
        return .shrink(id: volume.id, to: UInt32(extents))
      }, completion)
  }

  /// Removes a volume, which must not be in use.
  package func removeVolume(_ name: VolumeName, _ completion: @escaping (Failure?) -> Void) {
    change({ state in .remove(id: try self.unused(state.volume(name)).id) }, completion)
  }

  /// Gives a volume, which may be in use, another name.
  package func renameVolume(
    _ name: VolumeName, to other: VolumeName, _ completion: @escaping (Failure?) -> Void
  ) {
    change(
      { state in
        let volume = try state.volume(name)
        guard state.names[other] == nil else {
          throw Failure(.exists, "volume \(other)", "there is a volume of this name in the pool already")
        }
        return .rename(id: volume.id, other)
      }, completion)
  }

  private func count(_ extents: Int, of name: VolumeName) throws -> UInt32 {
    guard extents > 0, extents <= extentCount else {
      throw Failure(
        .invalid, "volume \(name)", "\(extents) extents are not possible, the pool has \(extentCount)")
    }
    return UInt32(extents)
  }

  private func unused(_ volume: MappedVolume) throws -> MappedVolume {
    guard attached[volume.id] == nil else {
      throw Failure(.inUse, "volume \(volume.name)", "it is in use", remedy: "detach it first")
    }
    return volume
  }
}
