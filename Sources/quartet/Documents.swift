import HostInterface
import Quartet
import TargetCore

/// The JSON that `--json` prints.
///
/// The names are stable: they may be added to, not changed.
struct StateDocument: Encodable {
  var targets: [TargetDocument]
  var remarks: [String]

  init(_ state: LiveState) {
    targets = state.targets.values.sorted { $0.name < $1.name }.map(TargetDocument.init)
    remarks = state.remarks
  }
}

struct TargetDocument: Encodable {
  var name: String
  var id: UInt32?
  var enabled: Bool
  var portals: [String]?
  var initiators: [String]
  var chap: CHAPDocument
  var parameters: [String: String]
  var attributes: [String: String]
  var luns: [UnitDocument]
  var sessions: [SessionDocument]

  init(_ target: Target) {
    name = target.name.description
    id = target.id
    enabled = target.enabled
    portals = target.portals?.sorted().map(\.description)
    initiators = target.initiators.sorted().map(\.description)
    chap = CHAPDocument(
      incoming: target.chap.incoming.map(\.user.description), outgoing: target.chap.outgoing?.user.description
    )
    parameters = Dictionary(
      target.parameters.map { ($0.key.rawValue, $0.value) }, uniquingKeysWith: { first, _ in first })
    attributes = target.attributes
    luns = target.units.values.sorted { $0.lun < $1.lun }.map(UnitDocument.init)
    sessions = target.sessions.map { SessionDocument($0, target: target.name) }
  }
}

struct CHAPDocument: Encodable {
  var incoming: [String]
  var outgoing: String?
}

struct UnitDocument: Encodable {
  var lun: UInt16
  var path: String?
  var store, deviceType: String?
  var size: UInt64?
  var printedSize: String?
  var blockSize: UInt32?
  var readOnly: Bool?
  var cache: String?
  var thin, removable, online: Bool?
  var scsiID, serial, vendor, product, revision: String?
  var reservation: String?
  var initiators: [String]?
  var attributes: [String: String]

  init(_ unit: LogicalUnit) {
    lun = unit.lun.number
    if case .path(let backing) = unit.backing { path = backing }
    store = unit.store
    deviceType = unit.deviceType?.rawValue
    size = unit.size
    printedSize = unit.printedSize
    blockSize = unit.blockSize
    readOnly = unit.readOnly
    cache = unit.cache?.rawValue
    thin = unit.thin
    removable = unit.removable
    online = unit.online
    scsiID = unit.scsiID
    serial = unit.serial
    vendor = unit.vendor
    product = unit.product
    revision = unit.revision
    reservation = unit.reservation
    initiators = unit.initiators?.sorted().map(\.description)
    attributes = unit.attributes
  }
}

struct SessionDocument: Encodable {
  struct Connection: Encodable {
    var id: UInt32
    var address: String?
  }
  var target: String
  var id: String
  var initiator: String
  var connections: [Connection]
  var statistics: [String: UInt64]

  init(_ session: Session, target: TargetName) {
    self.target = target.description
    id = session.id
    initiator = session.initiator
    connections = session.connections.map { Connection(id: $0.id, address: $0.address?.description) }
    statistics = session.statistics
  }
}

struct AccessDocument: Encodable {
  var target: String
  var initiators: [String]

  init(target: TargetName, initiators: Set<Initiator>) {
    self.target = target.description
    self.initiators = initiators.sorted().map(\.description)
  }
}

struct PortalDocument: Encodable {
  var target: String?
  var portal: String
}

struct ProposalDocument: Encodable {
  struct StepDocument: Encodable {
    var reason: String
    var operation: String
  }
  var implementation: String
  var dryRun: Bool
  var changes: [String]
  var steps: [StepDocument]
  var warnings: [String]

  init(_ proposal: Proposal, dryRun: Bool, implementation: String) {
    self.implementation = implementation
    self.dryRun = dryRun
    changes = proposal.changes.map(\.description)
    steps = proposal.plan.steps.map { StepDocument(reason: $0.reason, operation: $0.operation.display) }
    warnings = proposal.warnings
  }
}
