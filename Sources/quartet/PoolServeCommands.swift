import ArgumentParser
import EmbeddedPool
import HostInterface
import LinuxHost
import ReplicatedVolume
import SystemPackage

/// The process that serves an embedded pool.
extension PoolCommand {
  struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "serve", abstract: "Serves the volumes of an embedded pool by NBD, with nbdkit.",
      discussion: """
        It becomes nbdkit with Quartet's plugin, in the foreground as a supervisor wants it: it tells systemd when it is
        ready (Type=notify), and on SIGTERM it finishes what it has acknowledged and closes the pool. The name of an
        export is the name of a volume; `quartet volume attach` makes a device of one. Commands about the pool go to
        the process that serves it.

        EXAMPLES
          quartet pool serve vg1
          systemd-run --unit quartet-vg1 --property Type=notify quartet pool serve vg1
        """)
    @OptionGroup var common: VolumeOptions
    @Flag(help: "Start it in the background, and return when it serves.") var background = false
    @Flag(help: "Serve although a leg is missing that may have newer data; it is behind then.")
    var missingLegs = false
    @Argument(help: "The pool.") var name: String

    func run() async throws {
      let name = try PoolName(name)
      _ = try common.requireEmbedded(name)
      var server = PoolServer(of: name, in: common.embedded, plugin: plugin)
      server.allowsMissingLegs = missingLegs
      guard background else { try server.replaceThisProcess() }
      try await server.startInBackground()
      Report.message("quartet: pool \(name) is served")
    }

    /// That of `QUARTET_NBDKIT_PLUGIN`, else the one that was built beside this program, else the installed one.
    private var plugin: String {
      if let named = environment("QUARTET_NBDKIT_PLUGIN") { return named }
      let host = LocalHost()
      let program = (try? host.readLink("/proc/self/exe")) ?? "/"
      let beside = program.removingLastComponent().appending("libnbdkit-quartet-plugin.so")
      return ((try? host.status(beside)) ?? nil) == nil ? "quartet" : beside.string
    }
  }

  struct Stop: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "stop", abstract: "Ends the process that serves an embedded pool.",
      discussion:
        "It is refused while a volume is in use; the pool is closed when this returns.\n\nEXAMPLE\n  quartet pool stop vg1"
    )
    @OptionGroup var common: VolumeOptions
    @Argument(help: "The pool.") var name: String

    func run() async throws {
      let name = try PoolName(name)
      _ = try common.requireEmbedded(name)
      let stopped = try await PoolServer.stop(name, in: common.embedded)
      Report.message(stopped ? "quartet: pool \(name) is not served any more" : "quartet: nothing to do")
    }
  }
}
