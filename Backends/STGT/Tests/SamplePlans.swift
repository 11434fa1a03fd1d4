import HostInterface
import TargetCore

@testable import STGTBackend

/// A state with something of everything, and changes of every kind to it.
struct SamplePlans {
  let backend = STGTBackend(channel: Channel(), portals: [])
  let name: TargetName
  let other: TargetName
  let state: LiveState

  init() throws {
    name = try TargetName("iqn.2011-12.com.example:disk1")
    other = try TargetName("iqn.2011-12.com.example:disk2")
    var target = Target(name: name, id: 1, enabled: true)
    target.initiators = [
      .all, try Initiator("192.168.0.0/24"), try Initiator("iqn.1993-08.org.debian:01:web"),
    ]
    target.chap.incoming = ["jack", "jill", "joan"].compactMap { CHAPUser(asFound: $0).map(CHAPAccount.init) }
    target.chap.outgoing = CHAPUser(asFound: "me").map(CHAPAccount.init)
    target.parameters = [.defaultTime2Wait: "2", .initialR2T: "Yes"]
    target.attributes = ["nop_interval": "0"]
    var unit = LogicalUnit(lun: try LUN(1), backing: .path("/srv/disk1"))
    (unit.store, unit.deviceType, unit.blockSize, unit.cache) = ("rdwr", .disk, 512, .through)
    (unit.readOnly, unit.removable, unit.thin, unit.online) = (false, false, false, true)
    (unit.scsiID, unit.serial) = ("8ac9b2e1", "8ac9b2e1")
    unit.attributes = ["bsoflags": "sync"]
    target.units = [unit.lun: unit]
    var offline = unit
    offline.lun = try LUN(2)
    (offline.backing, offline.online) = (.path("/srv/disk2"), false)
    target.units[offline.lun] = offline
    target.sessions = [
      Session(
        id: "5", initiator: "iqn.1993-08.org.debian:01:web",
        connections: [.init(id: 0, address: nil), .init(id: 7, address: nil)])
    ]
    var second = Target(name: other, id: 2, enabled: false)
    second.chap.incoming = ["jack"].compactMap { CHAPUser(asFound: $0).map(CHAPAccount.init) }
    second.initiators = [.all]
    var state = LiveState()
    state.targets = [name: target, other: second]
    state.portals = [try Portal("127.0.0.1"), try Portal("[::1]:3261")]
    state.accounts = Set(["jack", "jill", "joan", "me", "stray"].compactMap { CHAPUser(asFound: $0) })
    state.discovery = CHAPAccounts(incoming: target.chap.incoming.suffix(1), outgoing: target.chap.outgoing)
    state.stores = ["rdwr": ["sync", "direct"], "aio": [], "null": [], "sg": [], "ssc": [], "mmc": ["sync"]]
    self.state = state
  }

  /// Every kind of change, most of them several times.
  var changes: [Change] {
    get throws {
      let third = try TargetName("iqn.2011-12.com.example:disk3")
      func account(_ user: String) throws -> CHAPAccount {
        try CHAPAccount(user: CHAPUser(user), secret: Secret("secretsecret".utf8))
      }
      func user(_ name: String) throws -> CHAPUser { try CHAPUser(name) }
      return try units + [
        .createTarget(third, id: 3), .deleteTarget(name, force: true), .deleteTarget(other, force: false),
        .enableTarget(other), .disableTarget(name), .setParameter(name, .defaultTime2Wait, "5"),
        .setParameter(name, .headerDigest, "CRC32C,None"), .setAttribute(name, "nop_interval", "5"),
        .allow(name, .all), .allow(name, Initiator("10.0.0.7")), .allow(name, Initiator("fe80::7")),
        .allow(name, Initiator("fd00::/8")), .allow(name, Initiator("iqn.1993-08.org.debian:01:db")),
        .deny(name, .all), .deny(name, Initiator("192.168.0.0/24")),
        .deny(name, Initiator("iqn.1993-08.org.debian:01:web")),
        .setAccount(name, .incoming, account("new"), rewrite: false),
        .setAccount(name, .incoming, account("stray"), rewrite: false),
        .setAccount(name, .incoming, account("jill"), rewrite: false),
        .setAccount(name, .incoming, account("jack"), rewrite: true),
        .setAccount(name, .outgoing, account("me"), rewrite: true),
        .setAccount(name, .outgoing, account("you"), rewrite: false),
        .setAccount(nil, .incoming, account("new"), rewrite: false),
        .clearAccount(name, .incoming, user("jack")), .clearAccount(name, .incoming, user("jill")),
        .clearAccount(name, .incoming, user("joan")), .clearAccount(name, .outgoing, user("me")),
        .clearAccount(nil, .outgoing, user("me")), .addPortal(nil, Portal("127.0.0.2:3262")),
        .addPortal(nil, Portal("[::1]:3263")), .removePortal(nil, Portal("127.0.0.1")),
        .closeSession(name, id: "5"),
      ]
    }
  }

  private var units: [Change] {
    get throws {
      func unit(_ lun: Int, _ path: String, _ edit: (inout LogicalUnit) -> Void) throws -> LogicalUnit {
        var unit = LogicalUnit(lun: try LUN(lun), backing: .path(path))
        edit(&unit)
        return unit
      }
      var patch = LogicalUnit(lun: try LUN(1), backing: .none)
      (patch.readOnly, patch.serial, patch.online) = (true, "0123", false)
      return try [
        .addUnit(
          name,
          unit(3, "/srv/disk3") {
            (
              $0.store, $0.cache, $0.scsiID, $0.serial, $0.vendor, $0.product, $0.revision, $0.readOnly,
              $0.blockSize
            ) = ("rdwr", .through, "8ac9b2e3", "8ac9b2e3", "QUARTET", "A DISK", "1.0", false, 4096)
          }),
        .addUnit(name, unit(16383, "/srv/disk4") { ($0.cache, $0.store) = (.back, "aio") }),
        .addUnit(
          name,
          unit(4, "/srv/disk5") {
            $0.attributes = ["bsoflags": "direct", "lbppbe": "3", "mode_page": "8:0:1:1"]
          }),
        .addUnit(name, unit(5, "/srv/disk6") { ($0.online, $0.thin, $0.removable) = (false, true, true) }),
        .addUnit(name, unit(6, "/srv/cd.iso") { ($0.deviceType, $0.store) = (.cd, "mmc") }),
        .addUnit(name, unit(7, "/dev/sg0") { ($0.deviceType, $0.store) = (.passthrough, "sg") }),
        .addUnit(name, unit(8, "/srv/tape") { ($0.deviceType, $0.store) = (.tape, "ssc") }),
        .addUnit(name, unit(9, "/anything") { $0.store = "null" }),
        .addUnit(name, unit(10, "/") { ($0.backing, $0.deviceType) = (.none, .cd) }),
        .replaceUnit(name, unit(1, "/srv/other") { $0.serial = "0123" }, force: false),
        .replaceUnit(name, unit(1, "/srv/other") { $0.serial = "0123" }, force: true),
        .setUnit(name, patch), .resizeUnit(name, LUN(1)), .removeUnit(name, LUN(1), force: false),
        .removeUnit(name, LUN(2), force: true),
      ]
    }
  }

  /// What each change is planned as: its steps, and what would undo each.
  func plans() throws -> [(change: Change, steps: [Step])] {
    try changes.map { ($0, try backend.steps(for: $0, in: state)) }
  }
}
