import BlockEngine
import HostInterface

extension ExtentPool {
  /// Which versions can be restored, oldest first, as ranges: one version for each change that is still recorded.
  package func versions(_ completion: @escaping ([ClosedRange<UInt64>]) -> Void) {
    enqueue { [self] done in
      Self.readAllSlots(device, layout) { slots in
        done()
        completion(slots.map { $0.header.sequence...$0.lastSequence })
      }
    }
  }

  /// Makes a previous version the newest, as one more change: volumes are mapped as they were then.
  ///
  /// What was written to extents since then is not undone. No volume may be in use.
  package func restore(version: UInt64, _ completion: @escaping (Failure?) -> Void) {
    enqueue { [self] done in
      let finish: (Failure?) -> Void = {
        done()
        completion($0)
      }
      guard attached.isEmpty else {
        return finish(
          Failure(.inUse, device.name, "a volume of the pool is in use", remedy: "detach it first"))
      }
      Self.readAllSlots(device, layout) { [self] slots in
        guard let slot = slots.last(where: { $0.header.sequence <= version && version <= $0.lastSequence })
        else {
          return finish(
            Failure(.notFound, device.name, "version \(version) of the metadata is not recorded any more"))
        }
        do {
          try startSlot(
            with: slot.state(at: version, subject: device.name).afterIDs(of: state), sequence: sequence + 1,
            finish)
        } catch {
          finish(error as? Failure ?? Failure(.garbled, device.name, "\(error)"))
        }
      }
    }
  }

  private static func readAllSlots(
    _ device: any BlockDevice, _ layout: PoolLayout, _ completion: @escaping ([SlotContents]) -> Void
  ) {
    readHeaders(device, layout) { result in
      let headers = (try? result.get()) ?? [nil, nil]
      var found: [SlotContents] = []
      let all = Completion { _ in completion(found.sorted { $0.header.sequence < $1.header.sequence }) }
      for (slot, header) in headers.enumerated() {
        guard let header else { continue }
        let end = all.expect()
        SlotReader.read(slot, header, layout, device) { result in
          if let contents = try? result.get() { found.append(contents) }
          end(nil)
        }
      }
      all.seal()
    }
  }
}
