import FoundationEssentials
import HostInterface

/// What goes over a control socket: one JSON object a line in each direction, one request a connection.
///
///     {"version":1,"request":{"removeVolume":{"name":"lun1"}}}
///     {"version":1,"answer":{"done":{"changed":true}},"server":4711}
enum ControlMessage {
  static let version = 1
  /// The longest request in bytes.
  static let requestLimit = 64 << 10
  /// The longest answer in bytes: a report of a million segments.
  static let answerLimit = 64 << 20

  private struct Request: Codable {
    var version: Int
    var request: PoolRequest
  }
  private struct Answer: Codable {
    var version: Int
    var answer: PoolAnswer
  }
  private struct Version: Codable { var version: Int }

  static func encode(_ request: PoolRequest) throws -> [UInt8] {
    try line(Request(version: version, request: request))
  }

  static func encode(_ answer: PoolAnswer) throws -> [UInt8] {
    try line(Answer(version: version, answer: answer))
  }

  private static func line(_ document: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return Array(try encoder.encode(document)) + [UInt8(ascii: "\n")]
  }

  /// Reads a request.
  ///
  /// - Throws: ``Failure`` with code `garbled`, or `unsupported` for another version.
  static func request(_ line: [UInt8]) throws -> PoolRequest {
    try checkVersion(line, "request")
    do { return try JSONDecoder().decode(Request.self, from: Data(line)).request } catch {
      throw Failure(.garbled, "control socket", "the request is none that is known")
    }
  }

  /// Reads an answer.
  ///
  /// - Throws: ``Failure`` with code `garbled`, or `unsupported` for another version.
  static func answer(_ line: [UInt8]) throws -> PoolAnswer {
    try checkVersion(line, "answer")
    do { return try JSONDecoder().decode(Answer.self, from: Data(line)).answer } catch {
      throw Failure(.garbled, "control socket", "the answer is none that is known")
    }
  }

  private static func checkVersion(_ line: [UInt8], _ what: String) throws {
    guard let found = try? JSONDecoder().decode(Version.self, from: Data(line)) else {
      throw Failure(.garbled, "control socket", "the \(what) is no JSON object with a version")
    }
    guard found.version == version else {
      throw Failure(
        .unsupported, "control socket", "the \(what) is of version \(found.version), and \(version) is known",
        remedy: "use the same version of Quartet for serving a pool and for its commands")
    }
  }
}
