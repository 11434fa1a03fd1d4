import StateFile
import Testing

/// Input made to exhaust a reader.
///
/// None of it may take long: a reader ends within its first part, or reads it once.
@Suite struct BombTests {
  /// Nine levels of nine aliases each: 387 million values.
  private static func laughs(_ use: String) -> String {
    var text = "quartet: 1\nx0: &x0 [lol]\n"
    for level in 1...9 {
      let aliases = Array(repeating: "*x\(level - 1)", count: 9).joined(separator: ", ")
      text += "x\(level): &x\(level) [\(aliases)]\n"
    }
    return text + use
  }

  @Test(arguments: ["", "targets: *x9\n", "? *x9\n: 1\n", "*x9 : 1\n"])
  func aliasesAreBounded(use: String) {
    let found = complaints(Self.laughs(use))
    #expect(found.count == 1)
    #expect(found.first?.hasPrefix("state.yaml:8:") == true)
    #expect(found.first?.contains("with its aliases expanded it has more than 1000000 values") == true)
  }

  @Test(arguments: ["[", "{a: ", "- ", "? ", "[{a: ", "\"a\": ["])
  func depthIsBounded(opening: String) {
    for count in [33, 1000, 200_000] {
      let found = complaints("quartet: 1\ntargets:\n " + String(repeating: opening, count: count))
      #expect(found.count == 1, "\(opening)")
      #expect(found.first?.hasPrefix("state.yaml:3:") == true, "\(found)")
    }
    let deep = complaints(String(repeating: "[", count: 1_000_000))
    #expect(deep == ["state.yaml:1:1: the document: is nested too deep, at most 32 levels are allowed"])
  }

  @Test func blockDepthIsBounded() {
    let lines = (0..<1000).map { String(repeating: " ", count: $0) + "a:\n" }.joined()
    #expect(complaints(lines).first?.contains("nested too deep") == true)
  }

  @Test func sizeIsBoundedBeforeParsing() {
    let found = complaints([UInt8](repeating: UInt8(ascii: "["), count: StateFile.sizeLimit + 1))
    #expect(
      found == [
        "state.yaml: is too large (4194305 bytes), at most 4194304 are allowed; "
          + "split it, the targets of one file are left alone by another"
      ])
  }

  @Test func theNumberOfValuesIsBounded() {
    let found = complaints("quartet: 1\ntargets: [" + String(repeating: "1,", count: 1_000_001) + "]")
    #expect(found.first?.contains("more than 1000000 values") == true)
  }

  @Test(arguments: [
    "a", "-", "\"", "'", "#", "&a ", "*a ", "!", "%", ":", ": ", "\n", "a\n", "a: b\n", "- a\n", "|\n ", "é",
  ])
  func noiseOfTheLargestSizeEnds(unit: String) {
    let count = StateFile.sizeLimit / unit.utf8.count
    #expect(!complaints(String(repeating: unit, count: count)).isEmpty)
  }

  @Test func manyProblemsAreCountedNotKept() {
    let lines = (0..<50_000).map { "k\($0): 1\n" }.joined()
    let found = complaints(lines)
    #expect(found.count == 100)
    let failure = #expect(throws: (any Error).self) { try parsed(lines) }
    #expect("\(failure.map { "\($0)" } ?? "")".hasPrefix("state.yaml: has more than 100 problems:\n"))
  }

  @Test(
    arguments: [
      ([0xff, 0xfe], "1:1"), ([0x71, 0x0a, 0xc3, 0x28], "2:2"), ([0xed, 0xa0, 0x80], "1:1"),
      ([0x71, 0xc3], "1:2"),
      ([0xc0, 0x80], "1:1"), ([0x00], "1:1"), ([0x23, 0x1b], "1:2"),
    ] as [([UInt8], String)])
  func onlyTextIsTaken(bytes: [UInt8], place: String) {
    let found = complaints(bytes)
    #expect(found.count == 1)
    #expect(found.first?.hasPrefix("state.yaml:\(place): the document: is no text: ") == true, "\(found)")
  }
}
