import BackendRegistry
import HostInterface
import TargetCore

/// Chooses the implementation the way the iSCSITarget resource agent does: the one that is named, else the first
/// that is installed.
public enum ImplementationChoice {
  /// Every implementation that this build drives, in the order of choice.
  public static var all: [BackendDescriptor] { BackendRegistry.all }

  /// The implementation of a name or alias.
  ///
  /// - Throws: ``Failure`` with code `invalid` that lists the names.
  public static func named(_ name: String) throws -> BackendDescriptor {
    if let found = all.first(where: { $0.name == name || $0.aliases.contains(name) }) { return found }
    let known = all.map { ([$0.name] + $0.aliases).joined(separator: " or ") }.joined(separator: ", ")
    throw Failure(.invalid, "implementation \(name.debugDescription)", "is not known", remedy: "use \(known)")
  }

  /// The first implementation that is installed on the host.
  ///
  /// - Throws: ``Failure`` with code `unavailable` when there is none.
  public static func installed(on host: any Host) async throws -> BackendDescriptor {
    for descriptor in all where try await descriptor.make([:]).probe(host).installed { return descriptor }
    throw Failure(
      .unavailable, "iSCSI target", "no implementation is installed",
      remedy: "install one of \(all.map(\.name).joined(separator: ", ")), such as Debian's package tgt")
  }
}
