import SystemPackage

/// What the host answered to an operation.
public enum Answer: Sendable, Hashable {
  /// The operation has no answer beyond success.
  case none
  /// A daemon's reply.
  case reply([UInt8])
  /// A command's result, whatever its exit status.
  case command(CommandResult)
  /// A value that was bound to a variable.
  case bound(Variable, String)
}

extension Host {
  /// Does one operation.
  ///
  /// - Parameters:
  ///   - operation: What to do.
  ///   - variables: The values bound by earlier steps.
  /// - Throws: ``Failure`` when the host could not do it; a command's exit status is no failure here.
  public func perform(_ operation: Operation, variables: [Variable: String] = [:]) async throws -> Answer {
    func path(_ text: Text) throws -> FilePath { FilePath(try text.string(variables)) }
    switch operation {
    case .write(let file, let contents): try write(contents.bytes(variables), to: path(file))
    case .manage(let command): try await manage(command, variables: variables)
    case .createDirectory(let directory): try createDirectory(path(directory))
    case .removeDirectory(let directory): try removeDirectory(path(directory))
    case .createLink(let link, let destination): try createLink(path(link), to: path(destination))
    case .removeFile(let file): try removeFile(path(file))
    case .replaceFile(let file, let contents, let mode):
      try replace(path(file), with: contents.bytes(variables), mode: mode)
    case .editLines(let file, let edit):
      let file = try path(file)
      let old = try status(file) == nil ? [] : read(file)
      let new = edit.applied(to: old)
      if new != old { try replace(file, with: new, mode: 0o600) }
    case .run(let command): return .command(try await run(command, variables: variables))
    case .exchange(let request):
      let bytes = request.header + (try request.body.bytes(variables))
      return .reply(
        try await exchange(
          bytes, with: FilePath(request.path), lengthOffset: request.lengthOffset, limit: request.limit))
    case .loadModule(let name): try loadModule(name)
    case .wait(let condition, let limit): try await wait(for: condition, limit: limit, variables: variables)
    case .bind(let variable, let file, let containing, let key):
      let wanted = try containing.string(variables)
      return .bound(variable, try boundWord(in: path(file), containing: wanted, key: key))
    }
    return .none
  }

  /// Runs a command of a plan.
  public func run(_ command: Command, variables: [Variable: String] = [:]) async throws -> CommandResult {
    let input = try command.input?.bytes(variables) ?? []
    return try await run(
      command.argv.map { try $0.string(variables) }, environment: command.environment, input: input,
      limit: command.limit)
  }

  private func wait(for condition: Condition, limit: Duration, variables: [Variable: String]) async throws {
    switch condition {
    case .exists(let path):
      try await waitForPath(FilePath(path.string(variables)), exists: true, limit: limit)
    case .absent(let path):
      try await waitForPath(FilePath(path.string(variables)), exists: false, limit: limit)
    case .empty(let directory):
      let directory = try directory.string(variables)
      try await wait(until: condition, limit, variables, directory, "is not empty after \(limit)")
    case .reads(let path, let line):
      let problem = "does not read \(line.display) after \(limit)"
      try await wait(until: condition, limit, variables, path.string(variables), problem)
    case .grows(let path, _, let least):
      let file = FilePath(try path.string(variables))
      do {
        let problem = "does not read more than \(least) after \(limit)"
        try await wait(until: condition, limit, variables, "\(file)", problem)
      } catch let failure as Failure where failure.code == .timedOut {
        guard let number = try number(in: file), number > least else { throw failure }
      }
    }
  }

  private func wait(
    until condition: Condition, _ limit: Duration, _ variables: [Variable: String], _ subject: String,
    _ problem: String
  ) async throws {
    let interval = Duration.milliseconds(20)
    var left = limit
    while try !holds(condition, variables: variables) {
      guard left > .zero else { throw Failure(.timedOut, subject, problem) }
      try await sleep(interval)
      left -= interval
    }
  }

  /// Whether a condition is met now.
  func holds(_ condition: Condition, variables: [Variable: String] = [:]) throws -> Bool {
    switch condition {
    case .exists(let path): return try status(FilePath(path.string(variables))) != nil
    case .absent(let path): return try status(FilePath(path.string(variables))) == nil
    case .empty(let directory):
      let directory = FilePath(try directory.string(variables))
      return try status(directory) == nil || list(directory).isEmpty
    case .reads(let path, let line):
      let path = FilePath(try path.string(variables))
      guard try status(path) != nil else { return false }
      return try text(path).prefix { $0 != "\n" } == line.string(variables)
    case .grows(let path, let goal, _):
      return try number(in: FilePath(path.string(variables))).map { $0 >= goal } ?? false
    }
  }

  /// The number that a file consists of; nil when it is not there, or something else.
  private func number(in file: FilePath) throws -> UInt64? {
    try status(file) == nil ? nil : UInt64(text(file).trimmed)
  }

  private func boundWord(in file: FilePath, containing: String, key: String) throws -> String {
    let lines = try text(file).split(separator: "\n")
    // A name ends where its word ends: `t1` must not find `t10`.
    let line = lines.first { $0.split(whereSeparator: \.isWhitespace).contains { $0 == containing } }
    guard let word = line?.split(whereSeparator: \.isWhitespace).first(where: { $0.hasPrefix(key) }) else {
      throw Failure(.notFound, "\(file)", "has no line with \(containing) and \(key)")
    }
    return String(word.dropFirst(key.count))
  }
}
