import FoundationEssentials
import Glibc
import SystemPackage
import Testing

/// Compares a text with a golden file in Fixtures/IET/golden; GOLDEN_UPDATE=1 writes it instead.
func expectGolden(_ name: String, _ text: String, _ location: SourceLocation = #_sourceLocation) throws {
  let path = Fixtures.directory.appending("golden").appending(name).string
  if getenv("GOLDEN_UPDATE") != nil {
    try Data(text.utf8).write(to: URL(filePath: path))
    return
  }
  let wanted = try String(contentsOfFile: path, encoding: .utf8)
  let (old, new) = (wanted.split(separator: "\n"), text.split(separator: "\n"))
  guard wanted != text else { return }
  let index =
    zip(old, new).enumerated().first { $0.element.0 != $0.element.1 }?.offset ?? min(old.count, new.count)
  let lines = [old, new].map { index < $0.count ? String($0[index]) : "the end" }
  Issue.record(
    "\(name) line \(index + 1): is \(lines[1].debugDescription), was \(lines[0].debugDescription)",
    sourceLocation: location)
}
