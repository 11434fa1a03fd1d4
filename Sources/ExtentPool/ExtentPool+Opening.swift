import BlockEngine
import HostInterface

extension ExtentPool {
  /// Makes a pool of a device; whatever was on it is lost.
  ///
  /// - Parameters:
  ///   - device: The device, with no pool on it unless `overwrite` is said.
  ///   - id: 16 random bytes that no other pool has.
  ///   - extentSize: A power of two from 64 KiB to 1 GiB, in bytes.
  ///   - overwrite: Whether a pool that is there may be lost.
  ///   - completion: Called when the empty pool is durable.
  package static func create(
    on device: any BlockDevice, id: [UInt8], extentSize: Int = 4 << 20, overwrite: Bool = false,
    _ completion: @escaping (Result<ExtentPool, Failure>) -> Void
  ) {
    let layout: PoolLayout
    do {
      guard id.count == 16, device.logicalBlockSize <= PoolLayout.block else {
        throw Failure(.invalid, device.name, "the id must have 16 bytes, and logical blocks at most 4096")
      }
      layout = try PoolLayout(
        poolID: id, deviceSize: device.size, extentSize: extentSize, subject: device.name)
    } catch {
      return completion(.failure(error as? Failure ?? Failure(.invalid, device.name, "\(error)")))
    }
    let first = BlockBuffer(count: PoolLayout.block)
    device.submit(.read(offset: 0, first)) { failure in
      if let failure { return completion(.failure(failure)) }
      if !overwrite, first.bytes.prefix(12).elementsEqual(PoolLayout.labelMagic) {
        return completion(
          .failure(
            Failure(
              .exists, device.name, "there is a pool on it already", remedy: "say that it may be overwritten")
          ))
      }
      write(layout, on: device, completion)
    }
  }

  private static func write(
    _ layout: PoolLayout, on device: any BlockDevice,
    _ completion: @escaping (Result<ExtentPool, Failure>) -> Void
  ) {
    let state = PoolState(extentCount: layout.extentCount)
    let empty = BlockBuffer(count: PoolLayout.block)
    // A header that an earlier pool with the same id left would win over the new one.
    let start = layout.slotOffsets[1]
    var requests: [BlockRequest] = [
      .write(offset: start, empty, durable: false),
      .write(offset: start + layout.slotSize - PoolLayout.block, empty, durable: false),
    ]
    requests += slotRequests(state, slot: 0, sequence: 1, layout: layout, on: device).requests
    // The first label last: without it there is no pool.
    requests += layout.labelOffsets.reversed().map { .write(offset: $0, layout.label(), durable: true) }
    device.submitInOrder(requests) { failure in
      if let failure { return completion(.failure(failure)) }
      open(on: device, completion)
    }
  }

  /// Opens the pool of a device, in its newest version.
  ///
  /// A change that was being written when the machine stopped, and was not acknowledged, is there or is not. Damage
  /// that no torn write explains is refused, and nothing is written.
  ///
  /// - Parameters:
  ///   - device: The device.
  ///   - onEvent: Told what was repaired, in words.
  ///   - completion: Called with the pool, or with why there is none.
  package static func open(
    on device: any BlockDevice, onEvent: @escaping (String) -> Void = { _ in },
    _ completion: @escaping (Result<ExtentPool, Failure>) -> Void
  ) {
    // A record that an earlier user left in a cache could be lost after one that follows it is durable.
    device.submit(.flush) { failure in
      if let failure { return completion(.failure(failure)) }
      openFlushed(device, onEvent, completion)
    }
  }

  private static func openFlushed(
    _ device: any BlockDevice, _ onEvent: @escaping (String) -> Void,
    _ completion: @escaping (Result<ExtentPool, Failure>) -> Void
  ) {
    readLabel(device, onEvent) { result in
      switch result {
      case .failure(let failure): completion(.failure(failure))
      case .success(let layout):
        readHeaders(device, layout) { result in
          switch result {
          case .failure(let failure): completion(.failure(failure))
          case .success(let headers): open(device, layout, headers, completion)
          }
        }
      }
    }
  }

  private static func open(
    _ device: any BlockDevice, _ layout: PoolLayout, _ headers: [SlotHeader?],
    _ completion: @escaping (Result<ExtentPool, Failure>) -> Void
  ) {
    let live = (headers[0]?.sequence ?? 0) >= (headers[1]?.sequence ?? 0) ? 0 : 1
    guard let header = headers[live] else {
      return completion(.failure(Failure(.garbled, device.name, "no version of the pool's metadata is left")))
    }
    SlotReader.read(live, header, layout, device) { result in
      completion(
        result.flatMap { contents in
          do {
            let state = try contents.state(at: contents.lastSequence, subject: device.name)
            return .success(ExtentPool(device, slot: live, contents: contents, state: state))
          } catch {
            return .failure(error as? Failure ?? Failure(.garbled, device.name, "\(error)"))
          }
        })
    }
  }

  private static func readLabel(
    _ device: any BlockDevice, _ onEvent: @escaping (String) -> Void,
    _ completion: @escaping (Result<PoolLayout, Failure>) -> Void
  ) {
    let first = BlockBuffer(count: PoolLayout.block)
    guard device.size >= first.count else {
      return completion(.failure(Failure(.notFound, device.name, "there is no pool on it")))
    }
    device.submit(.read(offset: 0, first)) { failure in
      if let failure { return completion(.failure(failure)) }
      if let layout = PoolLayout(label: first) { return checkSize(layout, device, completion) }
      // The copy stands where the size of the pool says; without a label it is where it would be for this device.
      let places = (16...30).compactMap {
        try? PoolLayout(
          poolID: [UInt8](repeating: 0, count: 16), deviceSize: device.size, extentSize: 1 << $0,
          subject: device.name
        ).labelOffsets[1]
      }
      findCopy(device, places[...], onEvent, completion)
    }
  }

  private static func findCopy(
    _ device: any BlockDevice, _ places: ArraySlice<Int>, _ onEvent: @escaping (String) -> Void,
    _ completion: @escaping (Result<PoolLayout, Failure>) -> Void
  ) {
    guard let place = places.first else {
      return completion(.failure(Failure(.notFound, device.name, "there is no pool on it")))
    }
    let block = BlockBuffer(count: PoolLayout.block)
    device.submit(.read(offset: place, block)) { failure in
      if let failure { return completion(.failure(failure)) }
      guard let layout = PoolLayout(label: block), layout.labelOffsets[1] == place else {
        return findCopy(device, places.dropFirst(), onEvent, completion)
      }
      // The first label is repaired, since a device without one is taken for an empty one.
      device.submit(.write(offset: 0, layout.label(), durable: true)) { failure in
        if let failure { return completion(.failure(failure)) }
        onEvent("\(device.name): one of the two labels of the pool was damaged, and is repaired")
        checkSize(layout, device, completion)
      }
    }
  }

  private static func checkSize(
    _ layout: PoolLayout, _ device: any BlockDevice, _ completion: (Result<PoolLayout, Failure>) -> Void
  ) {
    guard layout.deviceSize <= device.size else {
      return completion(
        .failure(
          Failure(
            .garbled, device.name,
            "it has \(device.size) bytes, and its pool was made for \(layout.deviceSize)")))
    }
    completion(.success(layout))
  }

  static func readHeaders(
    _ device: any BlockDevice, _ layout: PoolLayout,
    _ completion: @escaping (Result<[SlotHeader?], Failure>) -> Void
  ) {
    let places = layout.slotOffsets.flatMap { [$0, $0 + layout.slotSize - PoolLayout.block] }
    let blocks = places.map { ($0, BlockBuffer(count: PoolLayout.block)) }
    device.submitInOrder(blocks.map { .read(offset: $0.0, $0.1) }) { failure in
      if let failure { return completion(.failure(failure)) }
      completion(
        .success([0, 2].map { SlotContents.newestHeader(blocks[$0].1, blocks[$0 + 1].1, layout: layout) }))
    }
  }
}
