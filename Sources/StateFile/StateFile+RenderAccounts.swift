import TargetCore

extension StateFile {
  static func write(_ accounts: CHAPAccounts, to writer: inout YAMLWriter) {
    writer.pair("incoming", verbatim: accounts.incoming.isEmpty ? "[]" : "")
    writer.nested { writer in
      for account in accounts.incoming { writer.item { write(account, to: &$0) } }
    }
    guard let outgoing = accounts.outgoing else { return writer.pair("outgoing", verbatim: "null") }
    writer.pair("outgoing", verbatim: "")
    writer.nested { write(outgoing, to: &$0) }
  }

  private static func write(_ account: CHAPAccount, to writer: inout YAMLWriter) {
    writer.pair("user", account.user.description)
    writer.comment(
      account.secret == nil
        ? "Its secret was not readable; put it into this file, with mode 0600."
        : "Secrets are not exported; put it into this file, with mode 0600.")
    writer.pair("secret", verbatim: "")
    writer.nested { $0.pair("file", file(for: account.user)) }
  }

  /// A file's name for the secret of a user; a slash in the user's name makes no directory.
  private static func file(for user: CHAPUser) -> String {
    let name = user.description.split(separator: "/", omittingEmptySubsequences: false).joined(
      separator: "%2F")
    return "/etc/quartet/\(name).secret"
  }
}
