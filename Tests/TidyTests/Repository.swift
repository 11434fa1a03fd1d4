import Glibc
import SystemPackage

/// The files of this repository, found from where this one stands.
enum Repository {
  static let root = FilePath(#filePath).removingLastComponent().removingLastComponent()
    .removingLastComponent()

  /// What is in a folder and is no dot-file, sorted; nothing where there is no such folder.
  static func entries(of folder: String) -> [String] {
    guard let directory = opendir(root.appending(folder).string) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  static func text(of file: String) throws -> String {
    let descriptor = try FileDescriptor.open(root.appending(file), .readOnly)
    return try descriptor.closeAfter {
      var bytes: [UInt8] = []
      var buffer = [UInt8](repeating: 0, count: 1 << 16)
      while true {
        let count = try buffer.withUnsafeMutableBytes { try descriptor.read(into: $0) }
        if count == 0 { return String(decoding: bytes, as: UTF8.self) }
        bytes += buffer.prefix(count)
      }
    }
  }

  /// The files below a folder, as paths from the root.
  static func files(below folder: String) -> [String] {
    entries(of: folder).flatMap { name -> [String] in
      let path = "\(folder)/\(name)"
      let below = files(below: path)
      return below.isEmpty ? [path] : below
    }
  }

  /// The folders of backends.
  static var backends: [String] { entries(of: "Backends").filter { !$0.contains(".") } }

  /// Every Swift file of the project.
  static var swiftFiles: [SourceFile] {
    ["Sources", "Tests", "Backends"].flatMap(files(below:)).filter { $0.hasSuffix(".swift") }
      .map(SourceFile.init(path:))
  }
}

/// A Swift file and the module that it belongs to.
struct SourceFile {
  let path: String

  /// The module, by the folder.
  var module: String {
    let parts = path.split(separator: "/").map(String.init)
    switch (parts[0], parts.count) {
    case ("Backends", 2): return "BackendRegistry"
    case ("Backends", _):
      let role = ["Sources": "Backend", "Simulator": "Simulator", "Tests": "Tests"][parts[2]] ?? parts[2]
      return parts[1] + role
    default: return parts[1]
    }
  }

  var isTest: Bool { module.hasSuffix("Tests") }
  /// Whether the file is part of a library, and of no program and no test.
  var isLibrary: Bool { !isTest && !ImportTable.programs.contains(module) }

  /// The modules that the file imports.
  func imports() throws -> [String] {
    try Repository.text(of: path).split(separator: "\n").compactMap { line in
      var words = line.split(separator: " ").map(String.init)
      while let first = words.first, first.hasPrefix("@") || Self.accessLevels.contains(first) {
        words.removeFirst()
      }
      guard words.count >= 2, words[0] == "import" else { return nil }
      let kinds = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
      let name = kinds.contains(words[1]) && words.count > 2 ? words[2] : words[1]
      return name.split(separator: ".").first.map(String.init)
    }
  }

  private static let accessLevels: Set<String> = ["public", "internal", "package", "private", "fileprivate"]

  /// The lines without comments and without what stands in string literals.
  func code() throws -> [(number: Int, text: String)] {
    var isInText = false
    return try Repository.text(of: path).split(separator: "\n", omittingEmptySubsequences: false).enumerated()
      .compactMap { index, line in
        let quotes = line.components(separatedBy: "\"\"\"").count - 1
        defer { if quotes % 2 == 1 { isInText.toggle() } }
        guard !isInText, quotes == 0 else { return nil }
        return (index + 1, withoutTextAndComment(line))
      }
  }
}

private func withoutTextAndComment(_ line: Substring) -> String {
  var kept = ""
  var isQuoted = false
  var previous: Character = " "
  for character in line {
    if character == "\"", previous != "\\" { isQuoted.toggle() }
    if !isQuoted {
      if character == "/", previous == "/" { return String(kept.dropLast()) }
      kept.append(character)
    }
    // A backslash that is itself escaped escapes nothing.
    previous = previous == "\\" && character == "\\" ? " " : character
  }
  return kept
}

extension Substring {
  func components(separatedBy separator: String) -> [Substring] {
    var parts: [Substring] = []
    var rest = self
    while let range = rest.firstRange(of: separator) {
      parts.append(rest[..<range.lowerBound])
      rest = rest[range.upperBound...]
    }
    return parts + [rest]
  }
}
