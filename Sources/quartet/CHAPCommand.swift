import ArgumentParser
import HostInterface
import LinuxHost
import Quartet
import StateFile
import TargetCore

struct CHAPCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "chap", abstract: "Sets and clears CHAP accounts.",
    subcommands: [SetCommand.self, Clear.self])

  struct SetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "set", abstract: "Adds an account, or gives one that is there a new secret.",
      discussion: """
        The secret never stands on a command line: it comes from a file, an open descriptor or a systemd
        credential. RFC 7143 wants at least 12 bytes.

        EXAMPLES
          quartet chap set iqn.2011-12.com.example:disk1 jack --secret-file /etc/quartet/jack.secret
          quartet chap set iqn.2011-12.com.example:disk1 us --outgoing --secret-descriptor 3 3</run/us.secret
          quartet chap set --discovery finder --secret-credential finder
        """)
    @OptionGroup var common: ImplementationOptions
    @OptionGroup var change: ChangeOptions
    @OptionGroup var place: CHAPPlace
    @Option(help: "A file that holds the secret.") var secretFile: String?
    @Option(help: "An open descriptor that the secret is read from.") var secretDescriptor: Int32?
    @Option(help: "The name of a systemd credential (systemd.exec(5)).") var secretCredential: String?

    func run() async throws {
      let (name, user) = try place.resolved()
      let sources: [SecretSource] =
        [
          secretFile.map(SecretSource.file), secretDescriptor.map(SecretSource.descriptor),
          secretCredential.map(SecretSource.credential),
        ].compactMap { $0 }
      guard let source = sources.first, sources.count == 1 else {
        throw Failure(
          .invalid, "CHAP account \(user)", "needs one source of its secret, \(sources.count) are named",
          remedy: "say --secret-file, --secret-descriptor or --secret-credential")
      }
      let fetched = try HostSecrets(files: Machine.host).secret(from: source)
      if let warning = fetched.warning { Report.warning(warning) }
      let account = try CHAPAccount(user: user, secret: fetched.secret)
      try await change.perform(common, [.setAccount(name, place.direction, account, rewrite: true)])
    }
  }

  struct Clear: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "clear",
      abstract: "Removes an account; the last incoming one leaves a target that asks nobody for a proof.",
      discussion: "EXAMPLE\n  quartet chap clear iqn.2011-12.com.example:disk1 jack")
    @OptionGroup var common: ImplementationOptions
    @OptionGroup var change: ChangeOptions
    @OptionGroup var place: CHAPPlace

    func run() async throws {
      let (name, user) = try place.resolved()
      try await change.perform(common, [.clearAccount(name, place.direction, user)])
    }
  }
}

/// Whose account is meant.
struct CHAPPlace: ParsableArguments {
  @Flag(help: "The account of discovery instead of a target's.") var discovery = false
  @Flag(help: "The account by which the target proves itself (mutual CHAP).") var outgoing = false
  @Argument(help: "The target's name (not with --discovery), and the CHAP name.") var words: [String]

  var direction: CHAPDirection { outgoing ? .outgoing : .incoming }

  func resolved() throws -> (TargetName?, CHAPUser) {
    guard words.count == (discovery ? 1 : 2), let user = words.last, let target = words.first else {
      throw Failure(
        .invalid, "arguments", "name \(discovery ? "the CHAP name only" : "a target and a CHAP name")")
    }
    return (discovery ? nil : try targetName(target), try CHAPUser(user))
  }
}
