import ReplicatedVolume
import TargetCore

/// The keys that each mapping of a state file has.
enum Keys {
  static let document = ["quartet", "resources", "pools", "targets", "discovery"]
  static let target = [
    "name", "implementation", "id", "enabled", "portals", "initiators", "chap", "parameters", "attributes",
    "luns",
  ]
  static let unit =
    ["lun", "path", "volume", "initiators", "attributes"] + UnitField.allCases.map(\.rawValue)
  static let accounts = ["incoming", "outgoing"]
  static let account = ["user", "secret"]
  static let secret = ["file", "credential", "descriptor"]
  static let parameters = SessionParameter.allCases.map(\.rawValue)

  static let resource =
    ["name", "protocol", "fencing", "sharedSecret", "skipFirstSync", "nodes", "volumes"]
    + Resource.Section.allCases.map(\.rawValue)
  static let node = ["name", "address"]
  static let volumeOnNode = ["minor", "device", "disk", "metaDisk"]
  static let replicatedVolume = ["number", "nodes"] + volumeOnNode
  static let pool = ["name", "devices", "legs", "size", "sparse", "extentSize", "resyncRate", "volumes"]
  static let logicalVolume = ["name", "size", "extents", "type", "thinPool"]
  static let volumeTypes = ["linear", "thin-pool", "thin"]

  private static let all = Set(
    [
      document, target, unit, accounts, account, secret, parameters, resource, node, replicatedVolume, pool,
      logicalVolume,
    ].joined())

  /// A key as an error may show it: what is not one of these may be a secret in the wrong place.
  static func shown(_ key: String) -> String { all.contains(key) ? "the key \(key)" : "a key" }

  /// The key that was probably meant: the nearest at most two slips away, in any case.
  static func nearest(to word: String, among keys: [String]) -> String? {
    guard (1...40).contains(word.utf8.count) else { return nil }
    let distances = keys.map { ($0, slips(word.asciiLowercased, $0.asciiLowercased)) }
    guard let (key, distance) = distances.min(by: { $0.1 < $1.1 }) else { return nil }
    // Two slips in a word of three letters are another word.
    return distance <= (key.utf8.count <= 3 ? 1 : 2) ? key : nil
  }

  /// How many letters must be put in, taken out, replaced or swapped with their neighbours.
  static func slips(_ left: String, _ right: String) -> Int {
    let (left, right) = (Array(left.utf8), Array(right.utf8))
    var beforeLast: [Int] = []
    var last = Array(0...right.count)
    for row in left.indices {
      var next = [row + 1]
      for column in right.indices {
        let replaced = last[column] + (left[row] == right[column] ? 0 : 1)
        var best = min(replaced, last[column + 1] + 1, next[column] + 1)
        if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
          best = min(best, beforeLast[column - 1] + 1)
        }
        next.append(best)
      }
      (beforeLast, last) = (last, next)
    }
    return last[right.count]
  }
}
