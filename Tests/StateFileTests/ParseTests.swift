import HostInterface
import StateFile
import TargetCore
import Testing

@Suite struct ParseTests {
  @Test func everyKeyArrivesInTheModel() throws {
    let state = try parsed(fullDocument)
    #expect(state.targets.count == 2)
    #expect(state.discovery?.incoming?.map(\.user.description) == ["finder"])
    #expect(state.discovery?.outgoing == .none)

    let first = try #require(state.targets.first)
    #expect(first.name.description == "iqn.2011-12.com.example:disk1")
    #expect(first.implementation == "lio")
    #expect(first.id == 7)
    #expect(first.enabled == false)
    #expect(
      first.portals?.map(\.description) == ["192.168.0.100:3260", "[fe80::1]:3260", "10.0.0.1:3260,iser"])
    #expect(
      first.initiators?.map(\.description) == ["iqn.2011-12.com.example:ini1", "192.168.0.0/24"])
    #expect(first.chap?.incoming?.map(\.user.description) == ["jack", "jill"])
    #expect(first.chap?.incoming?.compactMap(\.secret?.count) == [18, 18])
    #expect(first.chap?.outgoing??.user.description == "disk1")
    #expect(
      first.parameters == [
        .defaultTime2Wait: "5", .initialR2T: "Yes", .headerDigest: "CRC32C,None", .immediateData: "No",
      ])
    #expect(first.attributes == ["demo_mode_discovery": "0", "cmdsn_depth": "64"])

    let units = try #require(first.units)
    #expect(units.map(\.lun.number) == [1, 2])
    #expect(units[0].backing == .path("/dev/vg1/lun1"))
    #expect(units[0].serial == "8ac9b2e1")
    #expect(units[0].scsiID == "vg1-lun1")
    #expect(units[0].readOnly == false)
    #expect(units[0].cache == .through)
    #expect(units[0].initiators == nil)
    #expect(units[1].backing == .none)
    let texts = UnitField.allCases.map { units[1][$0] }
    #expect(
      texts == [
        "rdwr", "cd", "2048", nil, nil, "true", "true", "false", nil, "0123", "QUARTET", "VIRTUAL CD", "1.0",
      ])
    #expect(units[1].initiators?.map(\.description) == ["iqn.2011-12.com.example:ini1"])
    #expect(units[1].attributes == ["bsoflags": "direct"])

    let second = state.targets[1]
    #expect(second.name.description == "eui.0123456789abcdef")
    #expect(second.initiators == [.all])
    #expect(second.chap?.incoming == nil)
    #expect(second.chap?.outgoing == .some(nil))
    #expect(second.units == [])
    #expect(
      second.portals == nil && second.enabled == nil && second.id == nil && second.implementation == nil)
  }

  @Test(arguments: [
    ("12345678", "12345678"), ("0123", "0123"), ("1e3", "1e3"), ("1.10", "1.10"), ("yes", "yes"),
    ("True", "True"),
    ("2011-12-01", "2011-12-01"), ("0x10", "0x10"), ("'null'", "null"), ("\"a b\"", "a b"),
    ("1_000", "1_000"),
    ("!!str 5", "5"), ("12:30:45", "12:30:45"), ("|-\n          x", "x"),
  ])
  func textIsWhatIsWritten(written: String, expected: String) throws {
    let state = try parsed(
      """
      quartet: 1
      targets:
        - name: iqn.2011-12.com.example:a
          luns:
            - lun: 0
              path: /a
              serial: \(written)
      """)
    #expect(state.targets.first?.units?.first?.serial == expected)
  }

  @Test func jsonIsRead() throws {
    let state = try parsed(
      """
      {
      \t"quartet": 1,
      \t"targets": [
      \t\t{"name": "iqn.2011-12.com.example:a", "initiators": ["all"], "enabled": true,
      \t\t "chap": {"incoming": [], "outgoing": null}, "parameters": {"InitialR2T": "Yes", "MaxBurstLength": 65536},
      \t\t "luns":[{"lun":0,"path":"\\/srv\\/disk \\u0041","readOnly":false}]}
      \t]
      }
      """)
    let target = try #require(state.targets.first)
    #expect(target.initiators == [.all])
    #expect(target.chap == CHAPSpec(incoming: [], outgoing: .some(nil)))
    #expect(target.parameters == [.initialR2T: "Yes", .maxBurstLength: "65536"])
    #expect(target.units?.first?.backing == .path("/srv/disk A"))
  }

  @Test func anchorsSpareRepetition() throws {
    let state = try parsed(
      """
      quartet: 1
      targets:
        - {name: iqn.2011-12.com.example:a, initiators: &who [10.0.0.1, 10.0.0.2]}
        - {name: iqn.2011-12.com.example:b, initiators: *who}
      """)
    #expect(state.targets.map { $0.initiators?.count } == [2, 2])
  }

  @Test(arguments: [
    "quartet: 1", "quartet: 1\ntargets: []", "%YAML 1.1\n---\nquartet: 1\n...\n", "\u{feff}quartet: 1",
  ])
  func littleIsEnough(text: String) throws {
    #expect(try parsed(text) == DesiredState())
  }
}
