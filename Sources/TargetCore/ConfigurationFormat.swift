/// What was read from an implementation's own configuration file.
public struct ConfigurationText: Sendable, Hashable {
  /// What the file says.
  public var state: DesiredState
  /// What it says that the model has no place for, or that is not wise, each a sentence.
  public var warnings: [String]

  /// A state with warnings.
  public init(state: DesiredState, warnings: [String] = []) {
    self.state = state
    self.warnings = warnings
  }
}

/// The configuration file that an implementation's own tools restore it from, as pure text.
public struct ConfigurationFormat: Sendable {
  /// One line on what it is and where its tools look for it.
  public var summary: String
  /// Reads a file's text.
  ///
  /// It throws ``HostInterface/Failure`` with code `invalid` that names the line.
  public var read: @Sendable (String) throws -> ConfigurationText
  /// Writes what is exported, with the CHAP secrets that are known: without them the file would restore targets that
  /// ask nobody for a proof.
  public var write: @Sendable (LiveState) -> String

  /// A format.
  public init(
    summary: String, read: @escaping @Sendable (String) throws -> ConfigurationText,
    write: @escaping @Sendable (LiveState) -> String
  ) {
    self.summary = summary
    self.read = read
    self.write = write
  }
}
