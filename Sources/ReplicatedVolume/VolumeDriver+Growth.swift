import HostInterface

/// What is told of a resource that did not get all that this node has room for.
extension VolumeDriver {
  /// The failure of a resource that has not grown.
  ///
  /// - Parameter failure: The failure of the wait for it.
  func disagreement(on name: ResourceName, _ failure: Failure) async throws -> Failure {
    let state = try await read()
    guard let growth = try await growths(of: name, in: state)?.first(where: \.mayFail) else {
      // It has grown at last.
      var failure = failure
      failure.remedy = "run the command again"
      return failure
    }
    let peers = state.status(name)?.peers ?? []
    let gone = peers.first { $0.connection != .connected }.map { state.name(of: $0, in: name) }
    let others = peers.map { state.name(of: $0, in: name) }.joined(separator: ", ")
    let limit = VolumePlanner.agreementLimit.components.seconds
    return Failure(
      .timedOut, "resource \(name)",
      "has not grown: \(growth.device) still has \(growth.size) bytes after \(limit) s, though \(growth.disk) "
        + "of this node has room for \(growth.room)",
      remedy: gone.map { "\($0) is not connected: connect it, and run the command again" }
        ?? "the smallest disk of all nodes decides: enlarge the one of \(others) first, and run the command "
        + "again; so too if it is large enough, and \(others) was slow to answer")
  }

  /// The devices that have less than this node has room for, in words.
  func shortfalls(of name: ResourceName, in state: VolumeState) async throws -> [String] {
    (try await growths(of: name, in: state) ?? []).filter { $0.size < $0.room }.map { growth in
      "\(growth.device) has \(growth.size) bytes now, though \(growth.disk) of this node has room for "
        + "\(growth.room): the smallest disk of all nodes decides"
    }
  }

  private func growths(of name: ResourceName, in state: VolumeState) async throws -> [Growth]? {
    VolumePlanner(
      state: state, facts: try await facts(for: .resize(name), in: state), hasUdev: hasUdev, filter: nil
    ).growths(of: name)
  }
}
