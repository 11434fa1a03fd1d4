// libyaml's own module, which comes with Yams: its events tell what Yams' tree does not: every duplicate key, where
// an alias stands, and how much it expands to, before anything is built from it.
internal import CYaml

/// Where something stands in a document; both count from 1, columns in code points.
struct Position: Sendable, Hashable {
  var line: Int
  var column: Int
}

/// Why a text is no document at all.
struct YAMLFault: Error {
  var position: Position
  var problem: String
  var remedy: String?
}

/// One event of a YAML stream.
struct YAMLEvent {
  enum Kind {
    case streamStart, streamEnd, documentStart, documentEnd
    case alias(String)
    case scalar(String, isPlain: Bool)
    case sequenceStart, sequenceEnd, mappingStart, mappingEnd
  }

  var kind: Kind
  var position: Position
  var anchor: String?
  var tag: String?
}

/// The events of a YAML stream, one at a time.
final class YAMLEvents {
  // libyaml keeps pointers into both, so they live at fixed addresses from init to deinit and nowhere else.
  private let parser: UnsafeMutablePointer<yaml_parser_t>
  private let input: UnsafeMutableBufferPointer<UInt8>

  init(_ bytes: [UInt8]) throws {
    parser = .allocate(capacity: 1)
    parser.initialize(to: yaml_parser_t())
    input = .allocate(capacity: bytes.count)
    _ = input.initialize(from: bytes)
    guard yaml_parser_initialize(parser) == 1 else { throw Self.outOfMemory }
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
    yaml_parser_set_input_string(parser, input.baseAddress, input.count)
  }

  deinit {
    yaml_parser_delete(parser)
    parser.deallocate()
    input.deallocate()
  }

  func next() throws -> YAMLEvent {
    var event = yaml_event_t()
    guard yaml_parser_parse(parser, &event) == 1 else { throw fault() }
    // The event owns its texts; they are copied out before it goes.
    defer { yaml_event_delete(&event) }
    return YAMLEvent(
      kind: try kind(of: event), position: position(event.start_mark), anchor: anchor(of: event),
      tag: tag(of: event))
  }

  private func kind(of event: yaml_event_t) throws -> YAMLEvent.Kind {
    switch event.type {
    case YAML_STREAM_START_EVENT: return .streamStart
    case YAML_DOCUMENT_START_EVENT: return .documentStart
    case YAML_DOCUMENT_END_EVENT: return .documentEnd
    case YAML_ALIAS_EVENT: return .alias(text(event.data.alias.anchor) ?? "")
    case YAML_SCALAR_EVENT:
      let scalar = event.data.scalar
      let value = UnsafeBufferPointer(start: scalar.value, count: scalar.value == nil ? 0 : scalar.length)
      return .scalar(
        String(decoding: value, as: UTF8.self), isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE)
    case YAML_SEQUENCE_START_EVENT: return .sequenceStart
    case YAML_SEQUENCE_END_EVENT: return .sequenceEnd
    case YAML_MAPPING_START_EVENT: return .mappingStart
    case YAML_MAPPING_END_EVENT: return .mappingEnd
    default: return .streamEnd
    }
  }

  private func anchor(of event: yaml_event_t) -> String? {
    switch event.type {
    case YAML_SCALAR_EVENT: text(event.data.scalar.anchor)
    case YAML_SEQUENCE_START_EVENT: text(event.data.sequence_start.anchor)
    case YAML_MAPPING_START_EVENT: text(event.data.mapping_start.anchor)
    default: nil
    }
  }

  private func tag(of event: yaml_event_t) -> String? {
    switch event.type {
    case YAML_SCALAR_EVENT: text(event.data.scalar.tag)
    case YAML_SEQUENCE_START_EVENT: text(event.data.sequence_start.tag)
    case YAML_MAPPING_START_EVENT: text(event.data.mapping_start.tag)
    default: nil
    }
  }

  private func text(_ pointer: UnsafeMutablePointer<yaml_char_t>?) -> String? {
    pointer.map { String(cString: $0) }
  }

  private func position(_ mark: yaml_mark_t) -> Position {
    Position(line: mark.line + 1, column: mark.column + 1)
  }

  private func fault() -> YAMLFault {
    let problem = parser.pointee.problem.map { String(cString: $0) } ?? "cannot be parsed"
    switch parser.pointee.error {
    case YAML_MEMORY_ERROR: return Self.outOfMemory
    case YAML_READER_ERROR:
      let offset = parser.pointee.problem_offset
      return YAMLFault(
        position: Position(ofByte: offset, in: UnsafeBufferPointer(input)),
        problem: "is no text: \(problem) (0x\(String(parser.pointee.problem_value, radix: 16)))",
        remedy: "remove that character")
    default:
      let mark = parser.pointee.problem_mark
      // libyaml looks ahead of the parser's own limit of depth and finds its own.
      if problem.hasPrefix("Maximum nesting level") { return Self.tooDeep(at: position(mark)) }
      let isTab = mark.index < input.count && input[mark.index] == UInt8(ascii: "\t")
      let context = parser.pointee.context.map {
        String(cString: $0) + " from line \(parser.pointee.context_mark.line + 1): "
      }
      return YAMLFault(
        position: position(mark), problem: "is no YAML: \(context ?? "")\(problem)",
        remedy: isTab ? "indent with blanks, YAML does not take tabs for that" : nil)
    }
  }

  static func tooDeep(at position: Position) -> YAMLFault {
    YAMLFault(
      position: position,
      problem: "is nested too deep, at most \(YAMLComposer.depthLimit) levels are allowed")
  }

  private static var outOfMemory: YAMLFault {
    YAMLFault(position: Position(line: 1, column: 1), problem: "cannot be parsed: out of memory")
  }
}

extension Position {
  /// Where a byte of a text stands.
  init(ofByte offset: Int, in bytes: some Collection<UInt8>) {
    line = 1
    column = 1
    for byte in bytes.prefix(offset) {
      if byte == UInt8(ascii: "\n") {
        line += 1
        column = 1
      } else if byte & 0xc0 != 0x80 {
        column += 1
      }
    }
  }
}
