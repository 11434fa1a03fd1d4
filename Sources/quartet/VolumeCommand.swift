import ArgumentParser
import HostInterface
import ReplicatedVolume

struct VolumeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "volume",
    abstract: "Replicates block devices between nodes with DRBD, and attaches volumes of embedded pools.",
    discussion: """
      A resource is described by the same file on every node, so that `create` is run on each with the same words.
      Only the node that is primary reads and writes; LVM on top (`quartet pool`) is active there.
      """,
    subcommands: [
      VolumeStatusCommand.self, VolumeCreateCommand.self, Remove.self, ResourceCommand<Up>.self,
      ResourceCommand<Down>.self, ResourceCommand<Promote>.self, ResourceCommand<Demote>.self,
      ResourceCommand<Sync>.self, ResourceCommand<SkipSync>.self, ResourceCommand<Connect>.self,
      ResourceCommand<Disconnect>.self, Attach.self, Detach.self,
      ResourceCommand<Adjust>.self, ResourceCommand<Verify>.self, ResourceCommand<Resize>.self,
      ResourceCommand<Invalidate>.self, Resolve.self,
    ])

  struct Remove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "remove", abstract: "Brings a resource down and removes its file.",
      discussion: "The data stay on the disk.\n\nEXAMPLE\n  quartet volume remove vg1 --wipe")
    @OptionGroup var common: VolumeOptions
    @OptionGroup var change: VolumeChangeOptions
    @Flag(help: "Erase DRBD's metadata on this node as well.") var wipe = false
    @Argument(help: "The resource.") var name: String

    func run() async throws {
      try await change.perform(common, [.removeResource(ResourceName(name), wipe: wipe)])
    }
  }

  struct Resolve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "resolve", abstract: "Ends a split brain by giving up the changes of one node.",
      discussion: """
        Run it on the victim, which loses what it alone has written since the nodes parted, and on the other node,
        which connects again.

        EXAMPLE
          quartet volume resolve vg1 --victim mike
        """)
    @OptionGroup var common: VolumeOptions
    @OptionGroup var change: VolumeChangeOptions
    @Option(help: "The node whose changes are given up.") var victim: String
    @Argument(help: "The resource.") var name: String

    func run() async throws {
      let name = try ResourceName(name)
      let victim = try NodeName(victim)
      let state = try await common.driver.read()
      guard let nodes = state.file(name)?.resource.nodes.map(\.name), nodes.contains(victim) else {
        throw Failure(
          .notFound, "node \(victim)", "is none of resource \(name)", remedy: "see `quartet volume status`")
      }
      try await change.perform(common, [state.node == victim ? .discardMine(name) : .connect(name)])
    }
  }
}

/// What is done to one resource, without any choice.
protocol ResourceVerb {
  static var word: String { get }
  static var abstract: String { get }
  static var discussion: String { get }
  static func change(_ name: ResourceName) -> VolumeChange
}

/// The command of a verb.
struct ResourceCommand<Verb: ResourceVerb>: AsyncParsableCommand {
  static var configuration: CommandConfiguration {
    let example = "EXAMPLE\n  quartet volume \(Verb.word) vg1"
    return CommandConfiguration(
      commandName: Verb.word, abstract: Verb.abstract,
      discussion: Verb.discussion.isEmpty ? example : Verb.discussion + "\n\n" + example)
  }
  @OptionGroup var common: VolumeOptions
  @OptionGroup var change: VolumeChangeOptions
  @Argument(help: "The resource.") var name: String

  func run() async throws { try await change.perform(common, [Verb.change(ResourceName(name))]) }
}
