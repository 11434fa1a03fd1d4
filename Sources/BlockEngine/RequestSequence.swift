import HostInterface

extension BlockDevice {
  /// Submits requests one after the other, each when the one before is complete, and ends at the first failure.
  package func submitInOrder(_ requests: [BlockRequest], _ completion: @escaping (Failure?) -> Void) {
    submitInOrder(count: requests.count, { requests[$0] }, completion)
  }

  /// The same for requests that are made one by one, so that the memory of only one is needed.
  func submitInOrder(
    from first: Int = 0, count: Int, _ request: @escaping (Int) -> BlockRequest,
    _ completion: @escaping (Failure?) -> Void
  ) {
    guard first < count else { return completion(nil) }
    submit(request(first)) { [self] failure in
      if let failure { return completion(failure) }
      submitInOrder(from: first + 1, count: count, request, completion)
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
