import HostInterface
import ReplicatedVolume
import TargetCore

/// What was read from a state file.
public struct ParsedState: Sendable, Hashable {
  /// The targets and what belongs to them.
  public var state: DesiredState
  /// The resources and pools below them.
  public var volumes: DesiredVolumes
  /// What is allowed and not wise, each `FILE:LINE:COLUMN: what: why`.
  public var warnings: [String]
}

/// The desired-state document: YAML in, YAML out.
///
/// Its form is ``schema``. JSON is YAML, so a JSON document is read as well.
public enum StateFile {
  /// The size of the largest document that is read, in bytes: 4 MiB.
  public static let sizeLimit = 4 << 20

  /// Reads a state file.
  ///
  /// A scalar that stands for text keeps the text that is written: `serial: 0123` has four characters.
  ///
  /// - Parameters:
  ///   - bytes: The document, UTF-8.
  ///   - name: Its name, as errors show it.
  ///   - secrets: What finds the secrets that it refers to.
  ///   - place: Where a volume of a pool is; LVM's place without it.
  /// - Throws: One ``Failure`` for all that is wrong. With one problem its description is
  ///   `FILE:LINE:COLUMN: what: why; what to do`; with more, each stands in such a line of its own. No secret is in it.
  public static func parse(
    _ bytes: [UInt8], named name: String, secrets: any SecretResolver,
    place: @escaping (VolumePath) throws -> String = { $0.device }
  ) throws -> ParsedState {
    var problems = Problems(file: name)
    guard bytes.count <= sizeLimit else {
      throw Failure(
        .invalid, problems.file, "is too large (\(bytes.count) bytes), at most \(sizeLimit) are allowed",
        remedy: "split it, the targets of one file are left alone by another")
    }
    let root: YAMLNode
    do {
      var composer = try YAMLComposer(bytes)
      guard let document = try composer.document() else {
        throw Failure(.invalid, problems.file, "is empty", remedy: "begin it with `quartet: 1`")
      }
      root = document
      for fault in composer.faults {
        problems.add(fault.position, "the document", fault.problem, remedy: fault.remedy)
      }
    } catch let fault as YAMLFault {
      problems.add(fault.position, "the document", fault.problem, remedy: fault.remedy)
      throw problems.failure ?? Failure(.invalid, name, fault.problem)
    }
    var reader = StateReader(problems: problems, resolver: secrets, place: place)
    let (state, volumes) = reader.document(root)
    if let failure = reader.problems.failure { throw failure }
    return ParsedState(state: state, volumes: volumes, warnings: reader.warnings)
  }

  /// Reads a state file from a string.
  ///
  /// - Throws: As ``parse(_:named:secrets:place:)``.
  public static func parse(_ text: String, named name: String, secrets: any SecretResolver) throws
    -> ParsedState
  {
    try parse(Array(text.utf8), named: name, secrets: secrets)
  }
}
