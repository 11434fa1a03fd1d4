import HostInterface
import TargetCore

extension StateReader {
  /// CHAP accounts of a target or of discovery.
  mutating func accounts(_ node: YAMLNode, _ subject: String) -> CHAPSpec? {
    let what = "chap of \(subject)"
    guard let fields = fields(of: node, what, Keys.accounts, required: [], isSecret: true) else { return nil }
    var spec = CHAPSpec()
    if let node = fields["incoming"], let nodes = items(node, "incoming \(what)") {
      var lines: [CHAPUser: Int] = [:]
      var accounts: [CHAPAccount] = []
      for node in nodes {
        guard let account = account(node, "an incoming account of \(subject)") else { continue }
        if let line = lines.updateValue(node.position.line, forKey: account.user) {
          problems.add(
            node.position, "CHAP name \(account.user) of \(subject)",
            "is there twice, the other one begins in line \(line)", remedy: "remove one of them")
        }
        accounts.append(account)
      }
      spec.incoming = accounts
    }
    if let node = fields["outgoing"] {
      spec.outgoing =
        node.isNull ? .some(nil) : account(node, "the outgoing account of \(subject)").map { .some($0) }
    }
    return spec
  }

  private mutating func account(_ node: YAMLNode, _ what: String) -> CHAPAccount? {
    guard let fields = fields(of: node, what, Keys.account, required: Keys.account, isSecret: true) else {
      return nil
    }
    let user = fields["user"].flatMap { node in
      text(node, "user of \(what)").flatMap { text in checked(node) { try CHAPUser(text) } }
    }
    guard let node = fields["secret"] else { return nil }
    let secret = secret(node, "secret of \(user?.description ?? what)")
    guard let user, let secret else { return nil }
    guard let account = checked(node, { try CHAPAccount(user: user, secret: secret) }) else { return nil }
    if let warning = account.warning { warn(node.position, warning) }
    return account
  }

  mutating func secret(_ node: YAMLNode, _ what: String) -> Secret? {
    guard case .mapping(let pairs) = node.content else {
      problems.add(
        node.position, what, "must not stand in the state file",
        remedy: "put it into a file of mode 0600 and write {file: /etc/quartet/NAME.secret}")
      return nil
    }
    guard let fields = fields(of: node, what, Keys.secret, required: [], isSecret: true) else { return nil }
    guard fields.count == 1, pairs.count == 1, let (key, value) = fields.first else {
      if fields.count == pairs.count {
        problems.add(node.position, what, "must have one of the keys \(Keys.secret.joined(separator: ", "))")
      }
      return nil
    }
    guard let source = source(key, value, what) else { return nil }
    switch fetch(source) {
    case .success(let found):
      if let warning = found.warning { warn(value.position, "\(what): \(warning)") }
      return found.secret
    case .failure(var failure):
      failure.subject = "\(what): \(failure.subject)"
      problems.add(failure, at: value.position)
      return nil
    }
  }

  /// Where a secret is to be found.
  ///
  /// What is refused is not shown, since it may be the secret itself.
  private mutating func source(_ key: String, _ node: YAMLNode, _ what: String) -> SecretSource? {
    if key == "descriptor" {
      guard case .scalar(let text, true) = node.content, let number = Int32(text), String(number) == text,
        SecretSource.isDescriptor(number)
      else {
        problems.add(node.position, what, "has no valid descriptor", remedy: "give 0 or a number from 3 on")
        return nil
      }
      return .descriptor(number)
    }
    guard case .scalar(let text, _) = node.content, !node.isNull else {
      problems.add(node.position, what, "has \(node.kind) as its \(key), it must be text")
      return nil
    }
    if key == "credential" {
      guard SecretSource.isCredential(text) else {
        problems.add(
          node.position, what, "has no valid name of a credential",
          remedy: "give the name of a file in $CREDENTIALS_DIRECTORY (systemd.exec(5))")
        return nil
      }
      return .credential(text)
    }
    guard (try? Backing(path: text)) != nil else {
      problems.add(node.position, what, "has no absolute path as its file", remedy: "begin it with a slash")
      return nil
    }
    return .file(text)
  }

  private mutating func fetch(_ source: SecretSource) -> Result<FetchedSecret, Failure> {
    if let known = fetched[source] { return known }
    let result: Result<FetchedSecret, Failure>
    do {
      result = .success(try resolver.secret(from: source))
    } catch let failure as Failure {
      result = .failure(failure)
    } catch {
      result = .failure(Failure(.refused, source.description, "cannot be read"))
    }
    fetched[source] = result
    return result
  }

  private mutating func warn(_ position: Position, _ text: String) {
    let line = "\(problems.place(position)): \(text)"
    if !warnings.contains(line) { warnings.append(line) }
  }
}
