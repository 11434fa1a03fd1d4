/// The bytes with every occurrence of a secret in them hidden.
///
/// - Parameters:
///   - bytes: What may hold secrets.
///   - secrets: What to hide; an empty one hides nothing.
///   - keepingLength: Whether a star stands for each byte, so that lengths in a binary message stay true; otherwise
///     four stars stand for each secret.
public func masked(_ bytes: [UInt8], hiding secrets: [[UInt8]], keepingLength: Bool = false) -> [UInt8] {
  // The longest first: one secret may be the beginning of another.
  let secrets = secrets.filter { !$0.isEmpty }.sorted { $0.count > $1.count }
  guard !secrets.isEmpty else { return bytes }
  var shown: [UInt8] = []
  shown.reserveCapacity(bytes.count)
  var rest = bytes[...]
  while let first = rest.first {
    if let secret = secrets.first(where: { rest.starts(with: $0) }) {
      shown += repeatElement(UInt8(ascii: "*"), count: keepingLength ? secret.count : 4)
      rest.removeFirst(secret.count)
    } else {
      shown.append(first)
      rest.removeFirst()
    }
  }
  return shown
}

extension Text {
  var secrets: [[UInt8]] {
    pieces.compactMap { piece in
      if case .secret(let secret) = piece { secret.withBytes { $0 } } else { nil }
    }
  }
}

extension Operation {
  /// The secrets that the operation hands to the system, which may come back in what the system answers.
  private var secrets: [[UInt8]] {
    switch self {
    case .write(let path, let contents), .replaceFile(let path, let contents, _):
      path.secrets + contents.secrets
    case .manage(let write): write.path.secrets + write.contents.secrets
    case .createLink(let path, let destination): path.secrets + destination.secrets
    case .run(let command): command.secrets
    case .exchange(let request): request.body.secrets + request.equivalent.secrets
    case .bind(_, let path, let containing, _): path.secrets + containing.secrets
    case .createDirectory(let path), .removeDirectory(let path), .removeFile(let path),
      .editLines(let path, _):
      path.secrets
    case .loadModule, .wait: []
    }
  }

  /// The failure of the operation without its secrets.
  func masking(_ failure: Failure) -> Failure {
    let secrets = secrets
    guard !secrets.isEmpty else { return failure }
    func hide(_ text: String) -> String {
      String(decoding: masked(Array(text.utf8), hiding: secrets), as: UTF8.self)
    }
    var failure = failure
    failure.subject = hide(failure.subject)
    failure.problem = hide(failure.problem)
    failure.answer = failure.answer.map(hide)
    failure.remedy = failure.remedy.map(hide)
    return failure
  }
}

extension Command {
  fileprivate var secrets: [[UInt8]] { argv.flatMap(\.secrets) + (input?.secrets ?? []) }
}
