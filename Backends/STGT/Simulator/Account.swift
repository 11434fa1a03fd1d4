/// A CHAP account (`struct account_entry` of usr/target.c).
struct Account {
  var id: Int
  var user: String
  var password: String
}

/// The accounts of a target, or of discovery.
struct BoundAccounts {
  /// `DEFAULT_NR_ACCOUNT`.
  private static let places = 16

  /// A place per incoming account; 0 where there is none.
  private var incoming = [Int](repeating: 0, count: places)
  private(set) var count = 0
  var outgoing = 0

  /// The places that `show` looks into: as many as there are accounts, from the first place.
  ///
  /// This is the defect of tgtd: an account that left a place before others makes it look at an empty one.
  var shown: ArraySlice<Int> { incoming.prefix(count) }

  mutating func add(_ id: Int) throws(TgtadmError) {
    guard !incoming.contains(id) else { throw .userExists }
    if let place = incoming.firstIndex(of: 0), count < incoming.count {
      incoming[place] = id
    } else {
      let size = incoming.count
      incoming += [Int](repeating: 0, count: size)
      incoming[size] = id
    }
    count += 1
  }

  mutating func remove(_ id: Int) throws(TgtadmError) {
    guard let place = incoming.firstIndex(of: id) else { throw .noUser }
    incoming[place] = 0
    count -= 1
  }
}

extension Daemon {
  mutating func account(_ request: TgtadmRequest) throws -> String {
    switch request.operation {
    case .new, .delete, .bind, .unbind:
      guard var user = CText.after("user=", in: try text(of: request)) else {
        throw TgtadmError.invalidRequest
      }
      switch request.operation {
      case .new:
        let parts = user.split(separator: ",", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { throw TgtadmError.invalidRequest }
        user = String(parts[0])
        try addAccount(
          user, password: String(decoding: parts[1].utf8.dropFirst("password=".utf8.count), as: UTF8.self))
      case .delete: try deleteAccount(user)
      default:
        try bind(user, to: request.tid, outgoing: request.outgoing, adding: request.operation == .bind)
      }
      return ""
    case .show:
      return accounts.isEmpty ? "" : "Account list:\n" + accounts.map { "    \($0.user)\n" }.joined()
    default: throw TgtadmError.unsupportedOperation
    }
  }

  private mutating func addAccount(_ user: String, password: String) throws {
    guard !accounts.contains(where: { $0.user == user }) else { throw TgtadmError.userExists }
    let used = Set(accounts.map(\.id))
    let id = (1...).first { !used.contains($0) } ?? 1
    accounts.insert(Account(id: id, user: user, password: password), at: 0)
  }

  private mutating func deleteAccount(_ user: String) throws {
    guard let place = accounts.firstIndex(where: { $0.user == user }) else { throw TgtadmError.noUser }
    for tid in targets.map(\.tid) + [Self.globalTarget] {
      try? bind(user, to: tid, outgoing: false, adding: false)
      try? bind(user, to: tid, outgoing: true, adding: false)
    }
    accounts.remove(at: place)
  }

  private mutating func bind(_ user: String, to tid: Int32, outgoing: Bool, adding: Bool) throws {
    var bound = tid == Self.globalTarget ? discovery : targets[try index(of: tid)].accounts
    guard let account = accounts.first(where: { $0.user == user }) else { throw TgtadmError.noUser }
    switch (outgoing, adding) {
    case (false, true): try bound.add(account.id)
    case (false, false): try bound.remove(account.id)
    case (true, true):
      guard bound.outgoing == 0 else { throw TgtadmError.outgoingExists }
      bound.outgoing = account.id
    case (true, false):
      guard bound.outgoing == account.id else { throw TgtadmError.noUser }
      bound.outgoing = 0
    }
    if tid == Self.globalTarget {
      discovery = bound
    } else {
      targets[try index(of: tid)].accounts = bound
    }
  }

  /// The lines that `show` has for accounts.
  func names(of bound: BoundAccounts, indent: String) throws -> String {
    func user(_ id: Int) throws -> String {
      guard let account = accounts.first(where: { $0.id == id }) else { throw Crash() }
      return account.user
    }
    var text = ""
    for id in bound.shown { text += "\(indent)\(try user(id))\n" }
    if bound.outgoing != 0 { text += "\(indent)\(try user(bound.outgoing)) (outgoing)\n" }
    return text
  }
}
