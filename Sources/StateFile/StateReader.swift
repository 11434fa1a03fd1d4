import HostInterface
import ReplicatedVolume
import TargetCore

/// Reads the tree of a state file into the model, and collects what is wrong on the way.
struct StateReader {
  var problems: Problems
  var warnings: [String] = []
  let resolver: any SecretResolver
  /// Where a volume of a pool is.
  let place: (VolumePath) throws -> String
  /// The embedded pools of the document: their volumes are where they are once they are attached.
  var embedded: Set<PoolName> = []
  /// A secret is fetched once, however many accounts share it; a descriptor could not be read twice.
  var fetched: [SecretSource: Result<FetchedSecret, Failure>] = [:]

  init(
    problems: Problems, resolver: any SecretResolver, place: @escaping (VolumePath) throws -> String
  ) {
    self.problems = problems
    self.resolver = resolver
    self.place = place
  }

  mutating func document(_ root: YAMLNode) -> (DesiredState, DesiredVolumes) {
    var state = DesiredState()
    guard let fields = fields(of: root, "the document", Keys.document, required: ["quartet"]) else {
      return (state, DesiredVolumes())
    }
    if let version = fields["quartet"], let number = integer(version, "quartet", 0...Int(Int32.max)),
      number != 1
    {
      problems.add(
        version.position, "quartet",
        "is \(number), the version of the state file that this Quartet reads is 1",
        remedy: "write `quartet: 1`, or use a newer Quartet")
      return (state, DesiredVolumes())
    }
    let volumes = volumes(fields)
    if let discovery = fields["discovery"] { state.discovery = accounts(discovery, "discovery") }
    var lines: [TargetName: Int] = [:]
    for (index, node) in (fields["targets"].flatMap { items($0, "targets") } ?? []).enumerated() {
      guard let spec = target(node, "target \(index + 1) of the list") else { continue }
      if let line = lines.updateValue(node.position.line, forKey: spec.name) {
        problems.add(
          node.position, "target \(spec.name)", "is there twice, the other one begins in line \(line)",
          remedy: "make one of the two")
      }
      state.targets.append(spec)
    }
    return (state, volumes)
  }

  /// A target; nil when it has no usable name, though the rest of it is checked all the same.
  private mutating func target(_ node: YAMLNode, _ place: String) -> TargetSpec? {
    guard let fields = fields(of: node, place, Keys.target, required: ["name"]) else { return nil }
    var spec: TargetSpec?
    if let value = fields["name"], let text = text(value, "name of \(place)") {
      spec = checked(value) { TargetSpec(name: try TargetName(text)) }
    }
    let subject = spec.map { "target \($0.name)" } ?? place
    let implementation = fields["implementation"].flatMap { word($0, "implementation of \(subject)") }
    let id = fields["id"].flatMap { integer($0, "id of \(subject)", 0...Int(UInt32.max)) }
    let enabled = fields["enabled"].flatMap { boolean($0, "enabled of \(subject)") }
    let portals = fields["portals"].flatMap { list($0, "portals of \(subject)") { try Portal($0) } }
    let allowed = fields["initiators"].flatMap { initiators($0, "initiators of \(subject)") }
    let chap = fields["chap"].flatMap { accounts($0, subject) }
    let parameters = fields["parameters"].map { self.parameters($0, subject) }
    let attributes = fields["attributes"].map { self.attributes($0, subject) }
    let units = fields["luns"].flatMap { self.units($0, subject) }

    spec?.implementation = implementation
    spec?.id = id.map { UInt32($0) }
    spec?.enabled = enabled
    spec?.portals = portals
    spec?.initiators = allowed
    spec?.chap = chap
    spec?.parameters = parameters ?? [:]
    spec?.attributes = attributes ?? [:]
    spec?.units = units
    return spec
  }

  private mutating func parameters(_ node: YAMLNode, _ subject: String) -> [SessionParameter: String] {
    guard let fields = fields(of: node, "parameters of \(subject)", Keys.parameters, required: []) else {
      return [:]
    }
    var parameters: [SessionParameter: String] = [:]
    for parameter in SessionParameter.allCases {
      guard let value = fields[parameter.rawValue],
        let written = text(value, "\(parameter.rawValue) of \(subject)")
      else { continue }
      // YAML has more words for a boolean than the RFC has.
      let boolean = parameter.domain == .boolean ? value.boolean.map { $0 ? "Yes" : "No" } : nil
      parameters[parameter] = checked(value) { try parameter.normalized(boolean ?? written) }
    }
    return parameters
  }

  mutating func attributes(_ node: YAMLNode, _ subject: String) -> [String: String] {
    var attributes: [String: String] = [:]
    for pair in pairs(of: node, "attributes of \(subject)") ?? [] {
      let what = "attribute \(ISCSIName.printable(pair.key)) of \(subject)"
      guard Self.isAttribute(pair.key) else {
        problems.add(pair.keyPosition, what, "is no name", remedy: "use a name that the implementation has")
        continue
      }
      if let value = printable(pair.value, what) { attributes[pair.key] = value }
    }
    return attributes
  }

  /// Whether a text can be the name of an attribute: no blank, and nothing that separates names from values.
  static func isAttribute(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && !",='\"/".utf8.contains($0) }
  }

  mutating func initiators(_ node: YAMLNode, _ what: String) -> [Initiator]? {
    if case .scalar(let text, _) = node.content {
      if text == "all" { return [.all] }
      problems.add(node.position, what, "is \(node.kind)", remedy: "write a list, or `all` for everyone")
      return nil
    }
    return list(node, what) { try Initiator($0) }
  }
}
