import HostInterface

/// One request of tgtd's management protocol: `struct tgtadm_req` of tgt's `usr/tgtadm.h`, 120 bytes, unchanged
/// from tgt 1.0.30 to 1.0.97, and the parameter text behind it.
struct ManagementRequest {
  /// `enum tgtadm_mode`.
  enum Mode: UInt32 {
    case system, target, device, portal, lld, session, connection, account

    /// The word of `tgtadm --mode`.
    var word: String {
      switch self {
      case .system: "system"
      case .target: "target"
      case .device: "logicalunit"
      case .portal: "portal"
      case .lld: "lld"
      case .session: "session"
      case .connection: "conn"
      case .account: "account"
      }
    }
  }

  /// `enum tgtadm_op`.
  enum Operation: UInt32 {
    case new, delete, show, bind, unbind, update, stat, start, stop
  }

  /// The numbers of `tgtadm --device-type`: SCSI peripheral device types, and tgt's own for pass-through.
  enum DeviceType: UInt32 {
    case disk = 0x00
    case tape = 0x01
    case cd = 0x05
    case changer = 0x08
    case osd = 0x11
    case pt = 0xff
  }

  var mode: Mode
  var operation: Operation
  /// The target's number; nil for all targets, or for none.
  var tid: UInt32?
  var sid: UInt64 = 0
  var lun: UInt64?
  var cid: UInt32 = 0
  var deviceType: DeviceType = .disk
  var outgoing = false
  var force = false
  /// What follows the header, without its closing NUL.
  var parameters: Text = ""
  /// The options of `tgtadm` that make the same parameters.
  var options: [Text] = []

  /// The 120 bytes for a parameter text of a given length; integers are in the machine's own order.
  func header(parameterBytes: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(120)
    func append(_ value: some FixedWidthInteger) { withUnsafeBytes(of: value) { bytes += $0 } }
    append(mode.rawValue)
    append(operation.rawValue)
    bytes += Array("iscsi".utf8) + [UInt8](repeating: 0, count: 64 - 5)
    append(UInt32(120 + parameterBytes))
    append(tid ?? UInt32.max)
    append(sid)
    append(lun ?? UInt64.max)
    append(cid)
    append(UInt32(0))  // host_no
    append(deviceType.rawValue)
    append(UInt32(outgoing ? 1 : 0))
    append(UInt32(0))  // pack
    append(UInt32(force ? 1 : 0))
    return bytes
  }

  /// The words of `tgtadm` behind its name and control port.
  var arguments: [Text] {
    var words: [Text] = [
      "--lld", "iscsi", "--mode", Text(mode.word), "--op", Text(String(describing: operation)),
    ]
    if let tid { words += ["--tid", "\(tid)"] }
    if sid != 0 { words += ["--sid", "\(sid)"] }
    if mode == .connection { words += ["--cid", "\(cid)"] }
    if let lun { words += ["--lun", "\(lun)"] }
    if mode == .device, operation == .new, deviceType != .disk {
      words += ["--device-type", Text(String(describing: deviceType))]
    }
    words += options
    if outgoing { words.append("--outgoing") }
    if force { words.append("--force") }
    return words
  }
}

/// Where a tgtd listens, and how it is spoken to.
struct Channel: Sendable {
  /// The socket's path without the control port, as `TGT_IPC_SOCKET` holds it.
  static let standardSocket = "/var/run/tgtd/socket"

  var socket = Channel.standardSocket
  var controlPort = 0
  var limit = Duration.seconds(30)

  /// The path that tgtd binds: the socket's name, a dot, the control port.
  var path: String { "\(socket).\(controlPort)" }

  private var environment: [String: String] {
    socket == Channel.standardSocket ? [:] : ["TGT_IPC_SOCKET": socket]
  }

  /// The command of tgtadm that equals a request.
  func command(_ request: ManagementRequest) -> Command {
    let port: [Text] = controlPort == 0 ? [] : ["--control-port", "\(controlPort)"]
    return Command(["tgtadm"] + port + request.arguments, environment: environment, limit: limit)
  }

  /// The request over the socket.
  func exchange(_ request: ManagementRequest) -> SocketRequest {
    let isEmpty = request.parameters == ""
    let body: Text = isEmpty ? "" : request.parameters + "\0"
    return SocketRequest(
      path: path, header: request.header(parameterBytes: body.fixedByteCount), body: body, lengthOffset: 4,
      limit: limit, equivalent: command(request))
  }

  /// What starts this tgtd.
  func daemon(portals: [String]) -> Command {
    let port: [Text] = controlPort == 0 ? [] : ["--control-port", "\(controlPort)"]
    let iscsi: [Text] =
      portals.isEmpty ? [] : ["--iscsi", Text("portal=" + portals.joined(separator: ",portal="))]
    return Command(["tgtd"] + port + iscsi, environment: environment, limit: limit)
  }
}
