import SystemPackage

/// Which modules a kernel module needs loaded before it, from depmod's modules.dep (modules.dep(5)).
struct ModuleIndex {
  /// The path of each module below the index's directory, by its name with `_`.
  private var paths: [String: FilePath] = [:]
  /// The paths that a module depends on, by its own path, the ones to be loaded last first.
  private var needs: [FilePath: [FilePath]] = [:]

  /// Reads lines of `path: path ...`; others are passed over.
  init(_ text: String) {
    for line in text.split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 1)
      guard parts.count == 2 || line.hasSuffix(":") else { continue }
      let path = FilePath(String(parts[0]))
      guard let name = path.stem?.split(separator: ".").first else { continue }
      paths[String(name.map { $0 == "-" ? "_" : $0 })] = path
      needs[path] = parts.count < 2 ? [] : parts[1].split(separator: " ").map { FilePath(String($0)) }
    }
  }

  /// The modules to load, in order and each once, for the ones named; a name that is not there is built in.
  func order(for names: [String]) -> [FilePath] {
    var order: [FilePath] = []
    for path in names.compactMap({ paths[$0] }) {
      // modules.dep lists everything that is needed, not the next step only.
      for module in (needs[path] ?? []).reversed() + [path] where !order.contains(module) {
        order.append(module)
      }
    }
    return order
  }
}
