import HostInterface

extension Mirror {
  /// Compares the legs that are up to date, while they are in use.
  ///
  /// - Parameters:
  ///   - progress: Called with how many bytes are compared, now and then.
  ///   - completion: Called with the ranges of bytes in which they differ, or with why they cannot be compared.
  package func verify(
    progress: @escaping (Int) -> Void = { _ in },
    _ completion: @escaping (Result<[Range<Int>], Failure>) -> Void
  ) {
    verify(from: 0, [], progress, completion)
  }

  private func verify(
    from block: Int, _ found: [Range<Int>], _ progress: @escaping (Int) -> Void,
    _ completion: @escaping (Result<[Range<Int>], Failure>) -> Void
  ) {
    if let failure { return completion(.failure(failure)) }
    if isClosing { return completion(.failure(Failure(.unavailable, name, "it is being closed"))) }
    guard upToDate.count > 1 else {
      return completion(
        .failure(
          Failure(
            .unavailable, name, "only one leg is up to date, so that there is nothing to compare",
            remedy: "bring the others back, and wait until they are up to date")))
    }
    progress(block * LegLayout.block)
    guard block < bitmap.blockCount else { return completion(.success(found)) }
    let blocks = block..<min(block + 256, bitmap.blockCount)
    locks.acquire(blocks) { [self] token in
      let buffers = upToDate.map { ($0, BlockBuffer(count: blocks.count * LegLayout.block)) }
      let read = Completion { [self] _ in
        locks.release(token)
        var found = found
        for number in blocks {
          let part = (number - block) * LegLayout.block..<(number + 1 - block) * LegLayout.block
          let first = buffers.first { $0.0.isConnected }
          let isSame = buffers.allSatisfy { leg, buffer in
            !leg.isConnected || buffer[part].isSame(as: (first?.1 ?? buffer)[part])
          }
          if !isSame { found.append(number * LegLayout.block..<(number + 1) * LegLayout.block) }
        }
        verify(from: blocks.upperBound, found, progress, completion)
      }
      for (leg, buffer) in buffers {
        let end = read.expect()
        send(.read(offset: block * LegLayout.block, buffer), to: leg) { _ in end(nil) }
      }
      read.seal()
    }
  }
}
