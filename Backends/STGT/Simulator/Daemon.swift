import Simulation

/// The state of one running tgtd, and what it does with a request: usr/mgmt.c of tgt 1.0.85.
struct Daemon {
  /// The number that stands for no target, and for discovery's accounts.
  static let globalTarget: Int32 = -1

  var targets: [Target] = []
  /// How many targets were made.
  var targetCount = 0
  /// Newest first, as `account_list` is.
  var accounts: [Account] = []
  var discovery = BoundAccounts()
  /// Newest first, as `iscsi_portals_list` is.
  var portals: [Portal] = []
  var boundHosts: [(number: UInt32, tid: Int32)] = []
  var isOnline = true
  var isDebugging = false
  var isns = NameServer()
  var iscsiState = "ready"
  var lastSession: UInt16 = 0
  var nopInterval: Int32 = 0
  var nopCount: Int32 = 0
  var hasEnded = false
  let environment: Environment

  /// What it was started with, and where.
  struct Environment {
    /// The portals of `--iscsi portal=...`; none for the wildcard addresses.
    var arguments: String?
    /// The addresses that can be bound; nil for all.
    var addresses: Set<String>?
  }

  /// iSNS settings, which are only kept.
  struct NameServer {
    var isOn = false
    var address = ""
    var port: Int32 = 3205
    var controlsAccess = false
  }

  init(environment: Environment) {
    self.environment = environment
    startDriver()
  }

  /// The text that a request is answered with.
  mutating func answer(_ request: TgtadmRequest, _ host: SimulatedHost) throws -> String {
    if !request.driver.isEmpty {
      guard request.driver == "iscsi" || request.driver == "iser" else { throw TgtadmError.noDriver }
      let isReady = request.driver == "iscsi" && iscsiState == "ready"
      guard isReady || request.mode == .lld else { throw TgtadmError.noDriver }
    }
    switch request.mode {
    case .system: return try system(request)
    case .target: return try target(request)
    case .device: return try device(request, host)
    case .portal: return try portal(request)
    case .lld: return try driver(request)
    case .session, .connection: return try session(request)
    case .account: return try account(request)
    case nil:
      guard request.operation == .show else { throw TgtadmError.invalidRequest }
      _ = try index(of: request.tid)
      throw TgtadmError.invalidRequest
    }
  }

  /// The text behind a request's header; without one tgtd reads through a null pointer.
  func text(of request: TgtadmRequest) throws -> String {
    guard let text = request.text else { throw Crash() }
    return text
  }

  func index(of tid: Int32) throws -> Int {
    guard let index = targets.firstIndex(where: { $0.tid == tid }) else { throw TgtadmError.noTarget }
    return index
  }
}
