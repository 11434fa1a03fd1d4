import Glibc

/// `--user` (usr/ietadm.c, `user_handle`).
extension IETMachine {
  /// What `--params` of an account says.
  private struct AccountWords {
    var direction = Daemon.Direction.incoming
    var name: String?
    var secret: String?
  }

  mutating func account(_ request: inout AdminRequest) {
    let options = request.options
    guard options.lun == nil, options.sid == nil, options.cid == nil else { return }
    guard let words = Self.accountWords(&request) else { return }
    let tid = options.tid ?? 0
    switch options.operation {
    case .new: newAccount(words, tid, &request)
    case .delete: deleteAccount(words, tid, &request)
    case .show: showAccounts(words, tid, &request)
    case .update, nil:
      request.errors += "Unsupported\n"
      request.status = 0
    }
  }

  private static func accountWords(_ request: inout AdminRequest) -> AccountWords? {
    var words = AccountWords()
    for word in (request.options.parameters ?? "").split(separator: ",") {
      guard let equals = word.firstIndex(of: "=") else { continue }
      let key = String(word[..<equals])
      var value = word[equals...].dropFirst()
      if let first = value.utf8.first, AccessRules.isBlank(first) { value.removeFirst() }
      let directions = [Daemon.Direction.incoming, .outgoing]
      if strcasecmp(key, "Password") == 0 {
        if words.secret != nil { request.errors += "Already specified Password \(value)\n" }
        words.secret = String(value)
      } else if let direction = directions.first(where: { strcasecmp(key, $0.rawValue) == 0 }) {
        if words.name != nil { request.errors += "Already specified \(direction.rawValue) \(value)\n" }
        (words.name, words.direction) = (String(value), direction)
      } else {
        // It prints where the value is in memory, and means the key.
        request.errors += "Unknown parameter 0x7ffe00000000\n"
        return nil
      }
    }
    return words
  }

  private mutating func newAccount(_ words: AccountWords, _ tid: UInt32, _ request: inout AdminRequest) {
    guard let name = words.name, let secret = words.secret else {
      return request.errors += "Username and password must be specified\n"
    }
    let account = Daemon.Account(
      tid: tid, direction: words.direction, name: Self.cut(name, 255), secret: Self.cut(secret, 255))
    ask(&request) { machine throws(AdminError) in machine.daemon?.add(account) }
  }

  private mutating func deleteAccount(_ words: AccountWords, _ tid: UInt32, _ request: inout AdminRequest) {
    guard let name = words.name else { return request.errors += "Username must be specified\n" }
    if words.secret != nil { request.errors += "Ignoring specified password\n" }
    ask(&request) { machine throws(AdminError) in
      guard let index = machine.daemon?.account(tid, words.direction, Self.cut(name, 255)) else {
        throw AdminError(.noSuchFileOrDirectory)
      }
      machine.daemon?.accounts.remove(at: index)
    }
  }

  private mutating func showAccounts(_ words: AccountWords, _ tid: UInt32, _ request: inout AdminRequest) {
    if words.secret != nil { request.errors += "Ignoring specified password\n" }
    var output = ""
    ask(&request) { machine throws(AdminError) in
      guard let name = words.name else {
        for direction in [Daemon.Direction.incoming, .outgoing] {
          for account in machine.daemon?.accounts(tid, direction) ?? [] {
            output += "\(direction.rawValue) \(account.name)\n"
          }
        }
        return
      }
      guard let daemon = machine.daemon, let index = daemon.account(tid, words.direction, Self.cut(name, 255))
      else {
        throw AdminError(.noSuchFileOrDirectory)
      }
      let account = daemon.accounts[index]
      output = "\(words.direction.rawValue) \(account.name) \(Self.cut(account.secret, 254))\n"
    }
    request.output = output
  }
}
