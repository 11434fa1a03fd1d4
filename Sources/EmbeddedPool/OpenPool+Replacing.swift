import BlockEngine
import ExtentPool
import HostInterface
import NBDClient
import ReplicatedVolume

/// Another disk in the place of a leg.
extension OpenPool {
  /// Makes a disk a leg, writes that into the pool's description, and only then begins to copy.
  ///
  /// Whatever ends it in between, the pool opens by the old description without the former disk, and the same request
  /// goes on where this one ended.
  func replaceLeg(
    _ old: String, by new: String, wipe: Bool, _ completion: @escaping (PoolAnswer) -> Void
  ) throws {
    guard let mirror else { throw noMirror }
    let (former, address) = (try LegAddress(old), try LegAddress(new))
    let isConnected = mirror.legReports.contains {
      $0.device == new && [.upToDate, .syncing].contains($0.status)
    }
    if isConnected, former == address || !description.legs.contains(former),
      description.legs.contains(address)
    {
      return completion(.done(changed: false))
    }
    _ = try known(old)
    guard former == address || !description.legs.contains(address) else {
      throw Failure(
        .inUse, "leg \(new)", "is another leg of pool \(name)", remedy: "name a disk that is not in use")
    }
    openAnew(address, for: mirror) { [self] result in
      do {
        let device = try result.get()
        let index = try index(of: former, in: mirror)
        refusePool(on: device, unless: wipe) { [self] failure in
          if let failure { return completion(.failed(failure)) }
          mirror.replaceLeg(
            index, by: device, overwrite: wipe,
            name: { [self] in try exchangeInDescription(former, address) },
            { [self] failure in completion(failure.map { .failed(advised($0)) } ?? .done(changed: true)) })
        }
      } catch {
        completion(.failed(error as? Failure ?? Failure(.invalid, "leg \(new)", "\(error)")))
      }
    }
  }

  private func advised(_ failure: Failure) -> Failure {
    var failure = failure
    if failure.code == .exists { failure.remedy = "say --wipe if that is not needed" }
    return failure
  }

  /// The index in the mirror of a leg of the description, which need not be there.
  private func index(of leg: LegAddress, in mirror: Mirror) throws -> Int {
    let devices = mirror.legReports.map(\.device)
    if let index = devices.firstIndex(of: leg.description) { return index }
    let free = devices.indices.filter { devices[$0] == nil }
    if let place = description.legs.firstIndex(of: leg), free.contains(place) { return place }
    guard free.count == 1 else {
      throw Failure(
        .refused, "leg \(leg)", "cannot be told from the other legs that are missing",
        remedy: "bring the others back first")
    }
    return free[0]
  }

  /// Refuses a disk that a pool without a mirror is on; whether it is a leg of a mirror, the mirror sees itself.
  private func refusePool(
    on device: any BlockDevice, unless wipe: Bool, _ completion: @escaping (Failure?) -> Void
  ) {
    if wipe { return completion(nil) }
    Mirror.examine([device], clock: loop) { result in
      if case .success = result { return completion(nil) }
      ExtentPool.open(on: ReadOnlyView(device, size: device.size)) { (found: Result<ExtentPool, Failure>) in
        switch found {
        case .failure(let failure) where failure.code == .notFound || failure.code == .invalid:
          completion(nil)
        case .success, .failure:
          completion(
            Failure(
              .exists, "leg \(device.name)", "has a pool on it", remedy: "say --wipe if that is not needed"))
        }
      }
    }
  }
}
