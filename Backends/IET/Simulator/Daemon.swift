import Glibc

/// ietd's own memory, which can part from what the kernel has.
struct Daemon {
  struct Target {
    var tid: UInt32
    var name: String
    var sessionLimit = 0
  }

  enum Direction: String { case incoming = "IncomingUser", outgoing = "OutgoingUser" }

  struct Account {
    /// 0 for discovery.
    var tid: UInt32
    var direction: Direction
    var name: String
    var secret: String
  }

  /// Where it listens.
  var port: UInt16
  /// The newest first.
  var targets: [Target] = []
  /// The newest first.
  var accounts: [Account] = []
  /// What the next session is numbered with.
  var nextHandle: UInt16 = 1

  func target(named name: String) -> Target? { targets.first { strcasecmp($0.name, name) == 0 } }

  func accounts(_ tid: UInt32, _ direction: Direction) -> [Account] {
    accounts.filter { $0.tid == tid && $0.direction == direction }
  }

  /// The newest account of a name; an empty name means the newest of all.
  func account(_ tid: UInt32, _ direction: Direction, _ name: String) -> Int? {
    accounts.firstIndex {
      $0.tid == tid && $0.direction == direction && (name.isEmpty || $0.name == name)
    }
  }

  /// Adds an account to a number, which need not be a target's; of outgoing accounts there is one.
  mutating func add(_ account: Account) {
    if account.direction == .outgoing {
      accounts.removeAll { $0.tid == account.tid && $0.direction == .outgoing }
    }
    accounts.insert(account, at: 0)
  }

  /// Forgets the newest target of a number, with its accounts.
  mutating func forget(_ tid: UInt32) {
    guard let index = targets.firstIndex(where: { $0.tid == tid }) else { return }
    targets.remove(at: index)
    accounts.removeAll { $0.tid == tid }
  }
}
