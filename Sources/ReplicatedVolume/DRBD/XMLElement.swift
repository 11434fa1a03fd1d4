import HostInterface

/// An element of an XML document as drbdadm(8) prints one: elements, attributes, text and comments.
///
/// FoundationXML is full Foundation, which nothing here may import, and the only XML package at hand stands on it. One
/// function of drbdadm (drbdadm_dump.c) prints what is read here, by a dozen `printf`s; document types, processing
/// instructions and CDATA are not among them and are refused.
struct XMLElement: Equatable {
  var name: String
  var attributes: [String: String] = [:]
  var children: [XMLElement] = []
  /// The text directly in the element, without blanks at its ends.
  var text = ""

  /// The child elements of a name.
  func all(_ name: String) -> [XMLElement] { children.filter { $0.name == name } }
  /// The first child element of a name.
  func first(_ name: String) -> XMLElement? { children.first { $0.name == name } }

  /// Reads a document of any number of root elements; `dump-xml RESOURCE` prints one without a root around it.
  ///
  /// - Throws: ``Failure`` with code `garbled`, with the byte at which the document is wrong.
  static func parse(_ bytes: [UInt8]) throws -> [XMLElement] {
    var reader = XMLReader(bytes: bytes)
    return try reader.document()
  }
}

/// Reads the bytes of a document from left to right.
private struct XMLReader {
  /// A configuration has six elements in one another.
  static let depthLimit = 16

  let bytes: [UInt8]
  var place = 0

  private func fault(_ what: String) -> Failure {
    Failure(.garbled, "drbdadm dump-xml", "is no XML that is understood: \(what) at byte \(place)")
  }

  mutating func document() throws -> [XMLElement] {
    var root = XMLElement(name: "")
    try content(of: &root, depth: 0)
    guard place == bytes.count else { throw fault("an end that has no beginning") }
    guard root.text.isEmpty else { throw fault("text outside of an element, before") }
    return root.children
  }

  /// Reads to the end of the document or to the `</` that ends the element.
  private mutating func content(of element: inout XMLElement, depth: Int) throws {
    guard depth < Self.depthLimit else { throw fault("more than \(Self.depthLimit) elements in one another") }
    while place < bytes.count {
      if take("<!--") {
        while !take("-->") {
          guard place < bytes.count else { throw fault("a comment without an end") }
          place += 1
        }
      } else if starts("</") {
        break
      } else if take("<") {
        element.children.append(try self.element(depth: depth))
      } else {
        element.text += try text(until: UInt8(ascii: "<"))
      }
    }
    element.text = element.text.trimmed
  }

  /// Reads an element whose `<` is read.
  private mutating func element(depth: Int) throws -> XMLElement {
    var element = XMLElement(name: try name())
    while true {
      skipBlanks()
      if take("/>") { return element }
      if take(">") { break }
      let key = try name()
      guard take("=\"") else { throw fault("an attribute without a value") }
      let value = try text(until: UInt8(ascii: "\""))
      guard take("\"") else { throw fault("a value without an end") }
      guard element.attributes.updateValue(value, forKey: key) == nil else {
        throw fault("an attribute that is there twice")
      }
    }
    try content(of: &element, depth: depth + 1)
    guard take("</"), try name() == element.name, take(">") else {
      throw fault("no end of the element \(shown(element.name))")
    }
    return element
  }

  private mutating func name() throws -> String {
    let start = place
    while place < bytes.count, isNameByte(bytes[place]) { place += 1 }
    guard place > start else { throw fault("no name") }
    return String(decoding: bytes[start..<place], as: UTF8.self)
  }

  private func isNameByte(_ byte: UInt8) -> Bool {
    (0x61...0x7a).contains(byte) || (0x41...0x5a).contains(byte) || (0x30...0x39).contains(byte)
      || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
  }

  private mutating func text(until end: UInt8) throws -> String {
    var found: [UInt8] = []
    while place < bytes.count, bytes[place] != end {
      if bytes[place] == UInt8(ascii: "&") {
        found.append(try entity())
      } else {
        found.append(bytes[place])
        place += 1
      }
    }
    return String(decoding: found, as: UTF8.self)
  }

  /// The five entities that XML defines; esc_xml() of drbd-utils knows no other.
  private mutating func entity() throws -> UInt8 {
    for (name, byte) in [("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"), ("&quot;", "\""), ("&apos;", "'")]
    where take(name) {
      return byte.utf8.first ?? 0
    }
    throw fault("an entity that is not known")
  }

  private mutating func skipBlanks() {
    while place < bytes.count, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[place]) { place += 1 }
  }

  private func starts(_ word: String) -> Bool { bytes[place...].starts(with: word.utf8) }

  private mutating func take(_ word: String) -> Bool {
    guard starts(word) else { return false }
    place += word.utf8.count
    return true
  }
}
