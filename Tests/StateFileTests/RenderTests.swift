import HostInterface
import StateFile
import TargetCore
import Testing

/// A live state with everything that a state file can say, and some that it cannot.
private func live(sharedPortals: Bool) throws -> LiveState {
  var state = LiveState()
  state.remarks = ["backing store\nof lun 9 is not known"]
  var first = Target(name: try TargetName("iqn.2011-12.com.example:disk1"), id: 3, enabled: true)
  first.portals = sharedPortals ? nil : [try Portal("[fe80::1%eth0]:3260"), try Portal("10.0.0.1")]
  first.initiators = [
    try Initiator("10.0.0.0/8"), try Initiator("iqn.2011-12.com.example:ini"), try Initiator("::1"),
  ]
  first.chap.incoming = [CHAPAccount(user: try CHAPUser("jack")), CHAPAccount(user: try CHAPUser("../jill"))]
  first.chap.outgoing = try CHAPAccount(user: CHAPUser("disk1"), secret: Secret("canary-secret-1234".utf8))
  first.parameters = [.initialR2T: "Yes", .maxBurstLength: "65536", .headerDigest: "None,CRC32C"]
  first.attributes = ["mode": "a: b # c", "empty": "", "on": "off"]
  first.sessions = [Session(id: "1", initiator: "iqn.2011-12.com.example:ini", connections: [])]
  for number in [10, 2, 0] {
    var unit = LogicalUnit(lun: try LUN(number), backing: try Backing(path: "/dev/a b\"\\: #\(number)ä"))
    unit.size = 1 << 30
    unit.readOnly = number == 2
    unit.serial = ["0123", "true", "deadbeef"][number % 3]
    unit.scsiID = "IET     0001000\(number) "
    unit.blockSize = 4096
    unit.cache = .through
    unit.attributes = ["bsoflags": "direct"]
    first.units[unit.lun] = unit
  }
  var drive = LogicalUnit(lun: try LUN(1), backing: .none)
  drive.deviceType = .cd
  drive.store = "rdwr"
  drive.removable = true
  drive.online = false
  drive.initiators = [try Initiator("10.1.2.3")]
  first.units[drive.lun] = drive
  let second = Target(name: try TargetName("iqn.2011-12.com.example:disk0"))
  var third = Target(name: try TargetName("eui.0123456789abcdef"), enabled: true)
  third.initiators = [.all]
  third.portals = sharedPortals ? nil : []
  for target in [first, second, third] { state.targets[target.name] = target }
  if sharedPortals { state.portals = [try Portal("0.0.0.0:3260"), try Portal("[::]:3260")] }
  state.discovery.incoming = [CHAPAccount(user: try CHAPUser("finder"))]
  return state
}

private func capabilities(_ scope: Capabilities.PortalScope) -> Capabilities {
  var capabilities = Capabilities(luns: 0...16383)
  capabilities.portalScope = scope
  return capabilities
}

@Suite struct RenderTests {
  @Test(arguments: [false, true])
  func whatIsWrittenIsWhatIs(sharedPortals: Bool) throws {
    let state = try live(sharedPortals: sharedPortals)
    let text = StateFile.render(state, implementation: "tgt")
    let desired = try parsed(text)
    let reconciler = Reconciler(capabilities: capabilities(sharedPortals ? .implementation : .target))
    #expect(try reconciler.changes(to: desired, from: state) == [])
    // That nothing was left out either: from nothing, the document makes all of it.
    var made = LiveState()
    if sharedPortals { made.portals = [] }
    for change in try reconciler.changes(to: desired, from: made) { made.apply(change) }
    let wanted = try #require(state.targets[TargetName("iqn.2011-12.com.example:disk1")])
    let target = try #require(made.targets[wanted.name])
    #expect(target.units.mapValues(\.backing) == wanted.units.mapValues(\.backing))
    #expect(target.units.mapValues(\.serial) == wanted.units.mapValues(\.serial))
    #expect(target.units.mapValues(\.initiators) == wanted.units.mapValues(\.initiators))
    #expect(target.units.mapValues(\.online) == wanted.units.mapValues(\.online))
    #expect(target.parameters == wanted.parameters)
    #expect(target.attributes == wanted.attributes)
    #expect(target.initiators == wanted.initiators)
    #expect(target.chap.incoming.map(\.user) == wanted.chap.incoming.map(\.user))
    #expect(target.chap.outgoing?.user == wanted.chap.outgoing?.user)
    #expect(target.enabled && target.id == 3)
    #expect(made.portals == state.portals)
  }

  @Test func theTextIsStable() throws {
    let text = StateFile.render(try live(sharedPortals: false), implementation: "tgt")
    #expect(text == expectedText)
  }

  @Test func nothingIsADocumentToo() throws {
    let text = StateFile.render(LiveState(), implementation: "tgt")
    #expect(text == "# What tgt exports, as Quartet found it.\nquartet: 1\ntargets: []\n")
    #expect(try parsed(text) == DesiredState())
  }

  @Test func whatCannotBeSaidIsLeftOutWithItsList() throws {
    var state = LiveState()
    var target = Target(name: try TargetName("iqn.2011-12.com.example:a"), enabled: true)
    target.initiators = [
      .all, .name(try #require(ISCSIName(asFound: "iqn.2011-12.com.example:under_score"))),
    ]
    target.parameters = [.maxBurstLength: "16", .maxConnections: "1"]
    target.attributes = ["a=b": "1", "c": "\u{1}"]
    var unit = LogicalUnit(lun: try LUN(1), backing: .path("relative"))
    target.units[unit.lun] = unit
    state.targets[target.name] = target
    let unnamable = try #require(ISCSIName(asFound: "iqn.2011-12.com.example:b_1"))
    state.targets[unnamable] = Target(name: unnamable)

    let text = StateFile.render(state, implementation: "tgt")
    let desired = try parsed(text)
    #expect(try Reconciler(capabilities: capabilities(.target)).changes(to: desired, from: state) == [])
    #expect(desired.targets.map(\.name) == [target.name])
    #expect(desired.targets.first?.initiators == nil)
    #expect(desired.targets.first?.units == nil)
    #expect(desired.targets.first?.parameters == [.maxConnections: "1"])
    let lines = text.split(separator: "\n").map { $0.drop { $0 == " " } }.filter {
      $0.hasPrefix("# Left out")
    }
    #expect(
      lines.map { $0.split(separator: ":")[1] } == [
        " initiators", " MaxBurstLength", " attribute a=b", " attribute c", " luns",
        " target iqn.2011-12.com.example",
      ])

    target.units[unit.lun]?.backing = .unread
    state.targets[target.name] = target
    let unread = try parsed(StateFile.render(state, implementation: "tgt"))
    #expect(try #require(unread.targets.first).units == nil)

    unit.backing = try Backing(path: "/a")
    unit.vendor = "NINEBYTES"
    unit.serial = ""
    target.units[unit.lun] = unit
    state.targets[target.name] = target
    let found = try #require(
      try parsed(StateFile.render(state, implementation: "tgt")).targets.first?.units?.first)
    #expect(found.vendor == nil && found.serial == nil)
  }
}

private let expectedText = #"""
  # What tgt exports, as Quartet found it.
  # backing store\nof lun 9 is not known
  quartet: 1
  discovery:
    incoming:
      - user: finder
        # Its secret was not readable; put it into this file, with mode 0600.
        secret:
          file: /etc/quartet/finder.secret
    outgoing: null
  targets:
    - name: eui.0123456789abcdef
      implementation: tgt
      enabled: true
      portals: []
      initiators: all
      chap:
        incoming: []
        outgoing: null
      luns: []
    - name: iqn.2011-12.com.example:disk0
      implementation: tgt
      enabled: false
      initiators: []
      chap:
        incoming: []
        outgoing: null
      luns: []
    - name: iqn.2011-12.com.example:disk1
      implementation: tgt
      id: 3
      enabled: true
      portals:
        - "10.0.0.1:3260"
        - "[fe80::1%eth0]:3260"
      initiators:
        - "10.0.0.0/8"
        - "::1"
        - iqn.2011-12.com.example:ini
      chap:
        incoming:
          - user: jack
            # Its secret was not readable; put it into this file, with mode 0600.
            secret:
              file: /etc/quartet/jack.secret
          - user: "../jill"
            # Its secret was not readable; put it into this file, with mode 0600.
            secret:
              file: "/etc/quartet/..%2Fjill.secret"
        outgoing:
          user: disk1
          # Secrets are not exported; put it into this file, with mode 0600.
          secret:
            file: /etc/quartet/disk1.secret
      parameters:
        HeaderDigest: "None,CRC32C"
        InitialR2T: "Yes"
        MaxBurstLength: "65536"
      attributes:
        empty: ""
        mode: "a: b # c"
        "on": "off"
      luns:
        - lun: 0
          path: "/dev/a b\"\\: #0\U000000e4"
          blockSize: 4096
          readOnly: false
          cache: through
          scsiID: "IET     00010000 "
          serial: "0123"
          attributes:
            bsoflags: direct
        - lun: 1
          path: null
          store: rdwr
          deviceType: cd
          removable: true
          online: false
          initiators:
            - "10.1.2.3"
        - lun: 2
          path: "/dev/a b\"\\: #2\U000000e4"
          blockSize: 4096
          readOnly: true
          cache: through
          scsiID: "IET     00010002 "
          serial: deadbeef
          attributes:
            bsoflags: direct
        - lun: 10
          path: "/dev/a b\"\\: #10\U000000e4"
          blockSize: 4096
          readOnly: false
          cache: through
          scsiID: "IET     000100010 "
          serial: "true"
          attributes:
            bsoflags: direct

  """#
