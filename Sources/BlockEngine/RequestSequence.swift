import HostInterface

extension BlockDevice {
  /// Submits requests one after the other, each when the one before is complete, and ends at the first failure.
  package func submitInOrder(_ requests: [BlockRequest], _ completion: @escaping (Failure?) -> Void) {
    submitInOrder(requests[...], completion)
  }

  private func submitInOrder(_ requests: ArraySlice<BlockRequest>, _ completion: @escaping (Failure?) -> Void)
  {
    guard let first = requests.first else { return completion(nil) }
    submit(first) { [self] failure in
      if let failure { return completion(failure) }
      submitInOrder(requests.dropFirst(), completion)
    }
  }

  /// The requests that read or write a long range, 1 MiB at a time.
  package func inParts(_ request: BlockRequest) -> [BlockRequest] {
    guard let range = request.range, !range.isEmpty else { return [request] }
    let most = 1 << 20
    return stride(from: range.lowerBound, to: range.upperBound, by: most).map {
      request.part($0..<min($0 + most, range.upperBound))
    }
  }
}
