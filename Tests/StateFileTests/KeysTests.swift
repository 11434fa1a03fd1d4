import Testing

@testable import StateFile

@Suite struct KeysTests {
  @Test(arguments: [
    ("targets", "targets", 0), ("tagets", "targets", 1), ("targest", "targets", 1), ("", "lun", 3),
    ("lun", "", 3),
    ("kitten", "sitting", 3), ("ab", "ba", 1), ("abc", "ca", 3),
  ])
  func slipsAreCounted(left: String, right: String, count: Int) {
    #expect(Keys.slips(left, right) == count)
  }

  @Test(
    arguments: [
      ("portal", "portals"), ("Portals", "portals"), ("iniators", "initiators"), ("nme", "name"),
      ("lnus", "luns"),
      ("IMPLEMENTATION", "implementation"), ("chap.", "chap"), ("volume", nil), ("di", "id"), ("x", nil),
      ("", nil),
      (String(repeating: "x", count: 10_000), nil),
    ] as [(String, String?)])
  func theNearestKeyIsMeant(word: String, key: String?) {
    #expect(Keys.nearest(to: word, among: Keys.target) == key)
  }
}
