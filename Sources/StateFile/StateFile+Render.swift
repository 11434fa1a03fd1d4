import HostInterface
import ReplicatedVolume
import TargetCore

extension StateFile {
  /// Writes what an implementation exports as a state file, which ``parse(_:named:secrets:)-([UInt8],_,_)`` reads.
  ///
  /// The order is stable: targets by name, logical units by number. What is not known is not written, nor is what
  /// only describes the moment: sessions, sizes. A secret is never written; in its place stands the file that is to
  /// hold it. What the form cannot express, such as a name that no target may be created with, is left out with the
  /// list that it is in, and a comment says so: a list that is written is whole.
  public static func render(
    _ state: LiveState, implementation: String, volumes: VolumeState? = nil,
    embedded: [EmbeddedPoolSpec] = [], leftOut: [String] = []
  ) -> String {
    var writer = YAMLWriter()
    writer.comment("What \(implementation) exports, as Quartet found it.")
    for remark in state.remarks { writer.comment(remark) }
    writer.pair("quartet", verbatim: "1")
    for what in leftOut { writer.comment("Left out: \(what)") }
    write(volumes, embedded, to: &writer)
    if !state.discovery.isEmpty {
      writer.pair("discovery", verbatim: "")
      writer.nested { write(state.discovery, to: &$0) }
    }
    let targets = state.targets.values.sorted { $0.name < $1.name }
    guard !targets.isEmpty else {
      writer.pair("targets", verbatim: "[]")
      return writer.text
    }
    writer.pair("targets", verbatim: "")
    writer.nested { writer in
      for target in targets {
        if let why = refusal({ _ = try TargetName(target.name.description) }) {
          writer.comment("Left out: target \(target.name): \(why)")
        } else {
          writer.item { write(target, implementation, shared: state.portals, to: &$0) }
        }
      }
    }
    return writer.text
  }

  private static func write(
    _ target: Target, _ implementation: String, shared: Set<Portal>, to writer: inout YAMLWriter
  ) {
    writer.pair("name", target.name.description)
    writer.pair("implementation", implementation)
    if let id = target.id { writer.pair("id", verbatim: String(id)) }
    writer.pair("enabled", verbatim: String(target.enabled))
    if target.portals != nil || !shared.isEmpty {
      write("portals", (target.portals ?? shared).sorted().map(\.description), to: &writer)
    }
    write(Array(target.initiators), to: &writer)
    writer.pair("chap", verbatim: "")
    writer.nested { write(target.chap, to: &$0) }
    write(target.parameters, to: &writer)
    write(target.attributes, to: &writer)
    write(target.units.values.sorted { $0.lun < $1.lun }, to: &writer)
  }

  static func write(_ key: String, _ items: [String], to writer: inout YAMLWriter) {
    writer.pair(key, verbatim: items.isEmpty ? "[]" : "")
    writer.nested { writer in
      for item in items { writer.item(item) }
    }
  }

  private static func write(_ initiators: [Initiator], to writer: inout YAMLWriter) {
    if initiators == [.all] { return writer.pair("initiators", "all") }
    for initiator in initiators.sorted() {
      if let why = refusal({ _ = try Initiator(initiator.description) }) {
        return writer.comment("Left out: initiators: \(initiator): \(why)")
      }
    }
    write("initiators", initiators.sorted().map(\.description), to: &writer)
  }

  private static func write(_ parameters: [SessionParameter: String], to writer: inout YAMLWriter) {
    let good = parameters.sorted { $0.key < $1.key }.filter { parameter, value in
      let why = refusal { _ = try parameter.normalized(value) }
      if let why { writer.comment("Left out: \(parameter.rawValue): \(why)") }
      return why == nil
    }
    guard !good.isEmpty else { return }
    writer.pair("parameters", verbatim: "")
    writer.nested { writer in
      for (parameter, value) in good { writer.pair(parameter.rawValue, value) }
    }
  }

  private static func write(_ attributes: [String: String], to writer: inout YAMLWriter) {
    let good = attributes.sorted { $0.key < $1.key }.filter { name, value in
      let fits = StateReader.isAttribute(name) && StateReader.isPrintable(value)
      if !fits { writer.comment("Left out: attribute \(name): is not printable ASCII") }
      return fits
    }
    guard !good.isEmpty else { return }
    writer.pair("attributes", verbatim: "")
    writer.nested { writer in
      for (name, value) in good { writer.pair(name, value) }
    }
  }

  private static func write(_ units: [LogicalUnit], to writer: inout YAMLWriter) {
    for unit in units {
      let why: String?
      switch unit.backing {
      case .path(let path): why = refusal { _ = try Backing(path: path) }
      case .none: why = nil
      case .unread: why = "was not read"
      }
      if let why { return writer.comment("Left out: luns: backing of lun \(unit.lun): \(why)") }
    }
    writer.pair("luns", verbatim: units.isEmpty ? "[]" : "")
    writer.nested { writer in
      for unit in units { writer.item { write(unit, to: &$0) } }
    }
  }

  private static func write(_ unit: LogicalUnit, to writer: inout YAMLWriter) {
    writer.pair("lun", verbatim: unit.lun.description)
    switch unit.backing {
    case .path(let path): writer.pair("path", path)
    case .none, .unread: writer.pair("path", verbatim: "null")
    }
    for field in UnitField.allCases {
      guard let value = unit[field] else { continue }
      switch field {
      case .readOnly, .thin, .removable, .online, .blockSize: writer.pair(field.rawValue, verbatim: value)
      default:
        if StateReader.fits(value, field) {
          writer.pair(field.rawValue, value)
        } else {
          writer.comment("Left out: \(field.rawValue): is empty, too long, or not printable ASCII")
        }
      }
    }
    if let initiators = unit.initiators { write(initiators, to: &writer) }
    write(unit.attributes, to: &writer)
  }

  /// Why the form does not take something; nil when it does.
  static func refusal(_ check: () throws -> Void) -> String? {
    do {
      try check()
      return nil
    } catch let failure as Failure {
      return failure.problem
    } catch {
      return "cannot be expressed"
    }
  }
}
