import HostInterface
import TargetCore

extension StateReader {
  /// The pairs of a mapping.
  mutating func pairs(of node: YAMLNode, _ what: String) -> [YAMLNode.Pair]? {
    guard case .mapping(let pairs) = node.content else {
      problems.add(node.position, what, "is \(node.kind), it must be a mapping of keys to values")
      return nil
    }
    return pairs
  }

  /// The values of a mapping by their keys, which must be among those that are known.
  ///
  /// - Parameter isSecret: Whether an unknown key may be a secret in the wrong place, so that it is not shown.
  mutating func fields(
    of node: YAMLNode, _ what: String, _ known: [String], required: [String], isSecret: Bool = false
  ) -> [String: YAMLNode]? {
    guard let pairs = pairs(of: node, what) else { return nil }
    var fields: [String: YAMLNode] = [:]
    for pair in pairs {
      guard !known.contains(pair.key) else {
        fields[pair.key] = pair.value
        continue
      }
      let near = problems.isFull ? nil : Keys.nearest(to: pair.key, among: known)
      let name = isSecret && near == nil ? "a key" : "key \(ISCSIName.printable(pair.key))"
      problems.add(
        pair.keyPosition, what, "has \(name) that is not known",
        remedy: near.map { "did you mean \($0)?" } ?? "the keys are \(known.joined(separator: ", "))")
    }
    for key in required where fields[key] == nil {
      problems.add(node.position, what, "has no \(key)", remedy: "add it")
    }
    return fields
  }

  /// The items of a list.
  mutating func items(_ node: YAMLNode, _ what: String) -> [YAMLNode]? {
    guard case .sequence(let items) = node.content else {
      let remedy =
        node.isNull ? "write [] for an empty one, or remove the key to leave things as they are" : nil
      problems.add(node.position, what, "is \(node.kind), it must be a list", remedy: remedy)
      return nil
    }
    return items
  }

  /// A list of texts, each of which a type of the model reads; nil unless every one is good.
  mutating func list<Item>(_ node: YAMLNode, _ what: String, _ read: (String) throws -> Item) -> [Item]? {
    guard let nodes = items(node, what) else { return nil }
    let items = nodes.compactMap { node in
      text(node, what).flatMap { text in checked(node) { try read(text) } }
    }
    return items.count == nodes.count ? items : nil
  }

  /// A scalar's own text, whether YAML takes it for a number, a boolean or a text.
  mutating func text(_ node: YAMLNode, _ what: String) -> String? {
    guard case .scalar(let text, _) = node.content, !node.isNull else {
      problems.add(
        node.position, what, "is \(node.kind), it must be text", remedy: node.isNull ? "remove the key" : nil)
      return nil
    }
    return text
  }

  /// A text that can stand in INQUIRY data, /proc, sysfs and a request: printable ASCII.
  mutating func printable(_ node: YAMLNode, _ what: String) -> String? {
    guard let text = text(node, what) else { return nil }
    guard Self.isPrintable(text) else {
      problems.add(node.position, what, "has a character that is not printable ASCII", remedy: "remove it")
      return nil
    }
    return text
  }

  static func isPrintable(_ text: String) -> Bool { text.utf8.allSatisfy { (0x20...0x7e).contains($0) } }

  /// A printable text without blanks and commas.
  mutating func word(_ node: YAMLNode, _ what: String) -> String? {
    guard let text = printable(node, what) else { return nil }
    guard Self.isWord(text) else {
      problems.add(node.position, what, "must be one word")
      return nil
    }
    return text
  }

  static func isWord(_ text: String) -> Bool {
    isPrintable(text) && !text.isEmpty && !text.contains(" ") && !text.contains(",")
  }

  mutating func boolean(_ node: YAMLNode, _ what: String) -> Bool? {
    guard let value = node.boolean else {
      problems.add(
        node.position, what, "is \(node.kind), it must be true or false",
        remedy: node.kind == "text" ? "write it without quotes" : nil)
      return nil
    }
    return value
  }

  /// A decimal number; other notations mean different numbers to different versions of YAML.
  mutating func integer(_ node: YAMLNode, _ what: String, _ range: ClosedRange<Int>) -> Int? {
    let bounds = "\(range.lowerBound) to \(range.upperBound) are allowed"
    guard case .scalar(let text, true) = node.content, let number = Int(text), String(number) == text else {
      problems.add(
        node.position, what, "is \(node.kind), it must be a number in plain decimal digits, \(bounds)")
      return nil
    }
    guard range.contains(number) else {
      problems.add(node.position, what, "is out of range (\(number)), \(bounds)")
      return nil
    }
    return number
  }

  /// What the model makes of a value; nil when it refuses it.
  mutating func checked<Value>(_ node: YAMLNode, _ read: () throws -> Value) -> Value? {
    do {
      return try read()
    } catch let failure as Failure {
      problems.add(failure, at: node.position)
    } catch {
      problems.add(node.position, "the value", "cannot be read: \(error)")
    }
    return nil
  }
}
