/// A value of a document with its place.
struct YAMLNode {
  struct Pair {
    var key: String
    var keyPosition: Position
    var value: YAMLNode
  }

  enum Content {
    case scalar(String, isPlain: Bool)
    case sequence([YAMLNode])
    case mapping([Pair])
  }

  var content: Content
  var position: Position
  /// How many values it is once its aliases are expanded, itself included.
  var weight: Int

  /// What it is, for an error about its type.
  var kind: String {
    switch content {
    case .sequence: "a list"
    case .mapping: "a mapping"
    case .scalar where isNull: "nothing"
    case .scalar where boolean != nil: "a boolean"
    case .scalar(let text, let isPlain): isPlain && Double(text) != nil ? "a number" : "text"
    }
  }

  /// Whether nothing is said: no value, `~` or `null`.
  var isNull: Bool {
    if case .scalar(let text, true) = content {
      ["", "~", "null", "Null", "NULL"].contains(text)
    } else {
      false
    }
  }

  /// The boolean that a plain scalar is in YAML 1.1, which most tools still read.
  var boolean: Bool? {
    guard case .scalar(let text, true) = content else { return nil }
    if Self.spellings(of: ["true", "yes", "on"]).contains(text) { return true }
    return Self.spellings(of: ["false", "no", "off"]).contains(text) ? false : nil
  }

  private static func spellings(of words: [String]) -> [String] {
    words.flatMap { [$0, $0.prefix(1).uppercased() + $0.dropFirst(), $0.uppercased()] }
  }
}

/// Builds the tree of a document: bounded in depth and in size, whatever stands in it.
struct YAMLComposer {
  /// How deep values may stand in one another; a state file needs 8.
  static let depthLimit = 32
  /// How many values a document may have once its aliases are expanded; 50,000 logical units have 700,000.
  static let nodeLimit = 1_000_000

  private let events: YAMLEvents
  private var anchors: [String: YAMLNode] = [:]
  private var total = 0
  /// What is wrong with keys; the document can be read on.
  private(set) var faults: [YAMLFault] = []

  init(_ bytes: [UInt8]) throws { events = try YAMLEvents(bytes) }

  /// The only document of the stream; nil when there is none.
  mutating func document() throws -> YAMLNode? {
    _ = try events.next()
    guard case .documentStart = try events.next().kind else { return nil }
    let root = try node(try events.next(), depth: 1)
    _ = try events.next()
    let end = try events.next()
    guard case .streamEnd = end.kind else {
      throw YAMLFault(
        position: end.position, problem: "begins a second document, one is allowed",
        remedy: "put it into a file of its own")
    }
    return root
  }

  private mutating func node(_ event: YAMLEvent, depth: Int) throws -> YAMLNode {
    guard depth <= Self.depthLimit else { throw YAMLEvents.tooDeep(at: event.position) }
    let node: YAMLNode
    switch event.kind {
    case .alias(let name): return try alias(name, at: event.position)
    case .scalar(let text, let isPlain):
      try count(1, at: event.position)
      let content = YAMLNode.Content.scalar(text, isPlain: try self.isPlain(event, isPlain))
      node = YAMLNode(content: content, position: event.position, weight: 1)
    case .sequenceStart: node = try sequence(event, depth: depth)
    default: node = try mapping(event, depth: depth)
    }
    if let anchor = event.anchor { anchors[anchor] = node }
    return node
  }

  private mutating func sequence(_ start: YAMLEvent, depth: Int) throws -> YAMLNode {
    try count(1, at: start.position)
    _ = try isPlain(start, true)
    var items: [YAMLNode] = []
    var weight = 1
    while true {
      let event = try events.next()
      if case .sequenceEnd = event.kind { break }
      let item = try node(event, depth: depth + 1)
      weight += item.weight
      items.append(item)
    }
    return YAMLNode(content: .sequence(items), position: start.position, weight: weight)
  }

  private mutating func mapping(_ start: YAMLEvent, depth: Int) throws -> YAMLNode {
    try count(1, at: start.position)
    _ = try isPlain(start, true)
    var pairs: [YAMLNode.Pair] = []
    var lines: [String: Int] = [:]
    var weight = 1
    while true {
      let event = try events.next()
      if case .mappingEnd = event.kind { break }
      let key = try node(event, depth: depth + 1)
      let value = try node(try events.next(), depth: depth + 1)
      weight += key.weight + value.weight
      guard case .scalar(let name, _) = key.content else {
        faults.append(
          YAMLFault(position: event.position, problem: "has \(key.kind) as a key, keys are words"))
        continue
      }
      if let line = lines.updateValue(event.position.line, forKey: name) {
        faults.append(
          YAMLFault(
            position: event.position,
            problem: "has \(Keys.shown(name)) twice, the other one is in line \(line)",
            remedy: "remove one of them"))
        continue
      }
      pairs.append(YAMLNode.Pair(key: name, keyPosition: event.position, value: value))
    }
    return YAMLNode(content: .mapping(pairs), position: start.position, weight: weight)
  }

  /// The value that an alias stands for, seen at the place of the alias.
  private mutating func alias(_ name: String, at position: Position) throws -> YAMLNode {
    // An anchor is known once its value has ended, so that nothing can contain itself.
    guard var node = anchors[name] else {
      throw YAMLFault(
        position: position, problem: "has an alias whose anchor is not before it, or is around it",
        remedy: "quote the text if it is no alias")
    }
    try count(node.weight, at: position)
    node.position = position
    return node
  }

  private mutating func count(_ weight: Int, at position: Position) throws {
    total += weight
    guard total <= Self.nodeLimit else {
      throw YAMLFault(
        position: position,
        problem: "is too large: with its aliases expanded it has more than \(Self.nodeLimit) values",
        remedy: "use fewer aliases, or split the file")
    }
  }

  /// Whether a scalar is to be read by its text; a tag of YAML's own schema overrides the quotes.
  private func isPlain(_ event: YAMLEvent, _ isPlain: Bool) throws -> Bool {
    guard let tag = event.tag else { return isPlain }
    switch (tag, event.kind) {
    case ("!", _), ("tag:yaml.org,2002:str", .scalar): return false
    case ("tag:yaml.org,2002:int", .scalar), ("tag:yaml.org,2002:bool", .scalar),
      ("tag:yaml.org,2002:float", .scalar), ("tag:yaml.org,2002:null", .scalar),
      ("tag:yaml.org,2002:seq", .sequenceStart), ("tag:yaml.org,2002:map", .mappingStart):
      return true
    default:
      throw YAMLFault(
        position: event.position, problem: "has a tag that means nothing here", remedy: "remove it")
    }
  }
}
