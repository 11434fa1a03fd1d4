import BlockEngine
import HostInterface
import NBDClient
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
    let end: (Failure?) -> Void = { [self] failure in
      problems[address] = failure
      completion(failure.map(PoolAnswer.failed) ?? .done(changed: true))
    }
    openAnew(address, for: mirror) { result in
      switch result {
      case .failure(let failure): end(failure)
      case .success(let device): mirror.attach(device, discard: discard, end)
      }
    }
  }

  /// Opens what is at an address, once nothing is in flight any more for an earlier device that was dropped.
  func openAnew(
    _ address: LegAddress, for mirror: Mirror,
    _ completion: @escaping (Result<any BlockDevice, Failure>) -> Void
  ) {
    if case .nbd(let uri) = address { return connectAnew(uri, for: mirror, completion) }
    // The device that the leg was before holds its lock until what it had in flight is over.
    let isReleased = mirror.release(deviceNamed: address.description)
    open(
      address, until: isReleased ? loop.now + .seconds(description.stallSeconds ?? 10) : loop.now, completion)
  }

  private func open(
    _ address: LegAddress, until deadline: Duration,
    _ completion: @escaping (Result<any BlockDevice, Failure>) -> Void
  ) {
    do {
      completion(.success(try PoolLegs.open(address, on: loop)))
    } catch let failure as Failure where failure.code == .inUse && loop.now < deadline {
      loop.schedule(after: .milliseconds(20)) { [self] in open(address, until: deadline, completion) }
    } catch {
      completion(.failure(error as? Failure ?? Failure(.invalid, "leg \(address)", "\(error)")))
    }
  }

  private func connectAnew(
    _ uri: String, for mirror: Mirror, _ completion: @escaping (Result<any BlockDevice, Failure>) -> Void
  ) {
    let options = NBDLegOptions(stallLimit: Self.stallLimit(description))
    func connect(_ failure: Failure?) {
      if let failure { return completion(.failure(failure)) }
      _ = mirror.release(deviceNamed: uri)
      NBDLeg.connect(uri, on: loop, options: options) { result in
        if let leg = try? result.get() { Self.watch(leg, for: mirror) }
        completion(result.map { $0 as any BlockDevice })
      }
    }
    guard let former = mirror.droppedDevice(named: uri) as? NBDLeg else { return connect(nil) }
    former.end(atMost: options.connectLimit, connect)
  }

  func detachLeg(_ text: String, _ completion: @escaping (PoolAnswer) -> Void) throws {
    guard let mirror else { throw noMirror }
    _ = try known(text)
    guard
      mirror.legReports.contains(where: { $0.device == text && [.upToDate, .syncing].contains($0.status) })
    else { return completion(.done(changed: false)) }
    mirror.detach(deviceNamed: text) { [self] failure in
      if let leg = mirror.droppedDevice(named: text) as? NBDLeg {
        leg.end(atMost: Self.stallLimit(description)) { _ in }
      }
      completion(failure.map(PoolAnswer.failed) ?? .done(changed: true))
    }
  }

  func known(_ text: String) throws -> LegAddress {
    let address = try LegAddress(text)
    guard description.legs.contains(address) else {
      throw Failure(
        .notFound, "leg \(text)", "is none of pool \(name)",
        remedy: "its legs are \(description.legs.map(\.description).joined(separator: ", "))")
    }
    return address
  }
}
