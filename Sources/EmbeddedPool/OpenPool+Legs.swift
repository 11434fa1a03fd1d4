import BlockEngine
import HostInterface
import ReplicatedVolume

/// Legs that come and go.
extension OpenPool {
  /// The pool's name.
  package var name: String { description.name.description }

  func attachLeg(
    _ text: String, discard: Bool, _ completion: @escaping (PoolAnswer) -> Void
  ) throws {
    guard let mirror else { throw noMirror }
    let address = try known(text)
    if mirror.legReports.contains(where: { $0.device == text && [.upToDate, .syncing].contains($0.status) }) {
      return completion(.done(changed: false))
    }
    // The device that the leg was before still holds its lock.
    mirror.release(deviceNamed: text)
    let device = try PoolLegs.open(address, on: loop)
    mirror.attach(device, discard: discard) { failure in
      completion(failure.map(PoolAnswer.failed) ?? .done(changed: true))
    }
  }

  func detachLeg(_ text: String, _ completion: @escaping (PoolAnswer) -> Void) throws {
    guard let mirror else { throw noMirror }
    _ = try known(text)
    guard
      mirror.legReports.contains(where: { $0.device == text && [.upToDate, .syncing].contains($0.status) })
    else { return completion(.done(changed: false)) }
    mirror.detach(deviceNamed: text) { failure in
      completion(failure.map(PoolAnswer.failed) ?? .done(changed: true))
    }
  }

  private func known(_ text: String) throws -> LegAddress {
    let address = try LegAddress(text)
    guard description.legs.contains(address) else {
      throw Failure(
        .notFound, "leg \(text)", "is none of pool \(name)",
        remedy: "its legs are \(description.legs.map(\.description).joined(separator: ", "))")
    }
    return address
  }
}
