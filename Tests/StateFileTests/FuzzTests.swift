import HostInterface
import StateFile
import TargetCore
import Testing

/// SplitMix64: the same numbers from the same seed, everywhere.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}

/// Documents that were good once, changed in a few places.
struct Mutator {
  var generator: SeededGenerator
  private static let pieces: [[UInt8]] = [
    "\n", " ", "  ", "\t", ": ", ":", "- ", "-", "[", "]", "{", "}", ",", "&a ", "*a", "!", "!!str ", "|",
    ">", "'", "\"",
    "#", "? ", "%", "@", "`", "\\", "---\n", "...\n", "~", "null", "true", "0", "-1", "99999999999999999999",
    "1.5", "é",
    "\u{0}", "\u{feff}", "<<", "all", "lun", "path", "name", "quartet", "secret",
  ].map { Array($0.utf8) }

  mutating func mutated(_ document: [UInt8]) -> [UInt8] {
    var bytes = document
    for _ in 0..<Int.random(in: 1...4, using: &generator) {
      let at = Int.random(in: 0...bytes.count, using: &generator)
      let until = min(bytes.count, at + Int.random(in: 0...12, using: &generator))
      switch Int.random(in: 0..<5, using: &generator) {
      case 0: bytes.removeSubrange(at..<until)
      case 1:
        bytes.insert(contentsOf: bytes[at..<until], at: Int.random(in: 0...bytes.count, using: &generator))
      case 2: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: at)
      case 3: bytes.removeSubrange(Int.random(in: 0...at, using: &generator)..<at)
      default: bytes.insert(contentsOf: Self.pieces.randomElement(using: &generator) ?? [], at: at)
      }
    }
    return bytes
  }
}

@Suite struct FuzzTests {
  @Test func everyInputEndsInAStateOrAFailure() throws {
    var mutator = Mutator(generator: SeededGenerator(state: 20_111_205))
    let documents = [fullDocument, stackDocument, goodDocuments[1], goodDocuments[2], goodDocuments[4]]
      .map { Array($0.utf8) }
    var outcomes: [Bool: Int] = [:]
    for round in 0..<6000 {
      let input = mutator.mutated(documents[round % documents.count])
      let found = complaints(input)
      #expect(!found.contains { $0.hasPrefix("not a Failure") }, "round \(round): \(found)")
      #expect(!found.contains { $0.contains(KnownSecrets.canary) }, "round \(round)")
      outcomes[found.isEmpty, default: 0] += 1
    }
    // A fuzzer that never gets through, or never breaks anything, tests nothing.
    #expect((outcomes[true] ?? 0) > 100)
    #expect((outcomes[false] ?? 0) > 1000)
  }
}
