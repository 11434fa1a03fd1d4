import Glibc
import HostInterface
import Quartet
import ReplicatedVolume
import StateFile
import SystemPackage
import TargetCore

/// The stack that a file describes.
enum StackFile {
  /// Reads it: a state file, or an implementation's own.
  static func read(_ input: InputOptions, _ common: ImplementationOptions) async throws -> Stack {
    let host = Machine.host
    let file = input.file
    let bytes = file == "-" ? try standardInput() : try host.read(FilePath(file))
    if let name = input.format {
      let (owner, format) = try Formats.format(name)
      let parsed = try format.read(String(decoding: bytes, as: UTF8.self))
      for warning in parsed.warnings { Report.warning(warning) }
      let isChosen = common.implementation != nil || environment("QUARTET_IMPLEMENTATION") != nil
      let implementation = try await common.implementation(named: isChosen ? nil : owner.name)
      return Stack(parts: [Stack.Part(implementation, parsed.state)], on: host)
    }
    let parsed = try StateFile.parse(
      bytes, named: file == "-" ? "standard input" : file, secrets: HostSecrets(files: host),
      place: { try PoolPlaces.usual.place(of: $0, on: host) })
    for warning in parsed.warnings { Report.warning(warning) }
    return Stack(
      volumes: parsed.volumes, parts: try await parts(of: parsed, common), on: host, engine: LocalEngine())
  }

  /// The targets, one part an implementation.
  private static func parts(of parsed: ParsedState, _ common: ImplementationOptions) async throws
    -> [Stack.Part]
  {
    var names: [String?] = []
    for name in parsed.state.targets.map(\.implementation) where !names.contains(name) { names.append(name) }
    // A file that is about volumes alone needs no implementation.
    if names.isEmpty, parsed.state.discovery != nil || parsed.volumes.isEmpty { names = [nil] }
    var parts: [Stack.Part] = []
    for name in names {
      let implementation = try await common.implementation(named: name)
      let targets = parsed.state.targets.filter { $0.implementation == name }
      if let index = parts.firstIndex(where: {
        $0.implementation.descriptor.name == implementation.descriptor.name
      }) {
        parts[index].state.targets += targets
      } else {
        let state = DesiredState(targets: targets, discovery: parsed.state.discovery)
        parts.append(Stack.Part(implementation, state))
      }
    }
    return parts
  }

  /// Standard input to its end; one byte over the limit is enough to refuse it.
  private static func standardInput() throws -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while bytes.count <= StateFile.sizeLimit {
      let count = try buffer.withUnsafeMutableBytes { try FileDescriptor.standardInput.read(into: $0) }
      if count == 0 { break }
      bytes += buffer.prefix(count)
    }
    return bytes
  }
}
