import ArgumentParser
import Glibc
import HostInterface
import SystemPackage
import VirtualMachine

/// `dev vm`: a command, or a shell, on a real kernel in a virtual machine.
struct VMCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "vm", abstract: "Run a command of this file system on Debian's kernel in a virtual machine.",
    discussion: """
      The command sees this machine's files; what it changes in them is lost with the virtual machine. It starts \
      in the current directory, with this environment and QUARTET_IN_VM=1, as root. Its output and exit status \
      are passed on. A kernel that tells of a defect makes the status 1.
      """)

  @Option(help: ArgumentHelp("Empty disks, /dev/vda and so on.", valueName: "number"))
  var disks = 0

  @Option(help: ArgumentHelp("Size of each disk, in MiB.", valueName: "MiB"))
  var diskSize = 256

  @Option(help: ArgumentHelp("Processors.", valueName: "number"))
  var processors = 1

  @Option(help: ArgumentHelp("Memory, in MiB.", valueName: "MiB"))
  var memory = 768

  @Option(help: ArgumentHelp("Kill it after this many seconds.", valueName: "seconds"))
  var limit = 900

  @Flag(help: "Print the kernel's log to standard error at the end.")
  var log = false

  @Flag(help: "Start a shell on this terminal instead of a command; Ctrl-A X cuts its power.")
  var shell = false

  @Argument(help: "The program and its arguments, after --.")
  var command: [String] = []

  func validate() throws {
    guard shell == command.isEmpty else {
      throw ValidationError("either --shell or a program is needed")
    }
    guard (0...16).contains(disks), diskSize > 0, processors > 0, memory >= 256, limit > 0 else {
      throw ValidationError("at most 16 disks, at least 256 MiB of memory, and all other numbers above 0")
    }
  }

  func run() async throws {
    let kernel = try await GuestKernel.prepare()
    var configuration = GuestConfiguration()
    configuration.processors = processors
    configuration.memory = memory
    configuration.lifeLimit = .seconds(limit + 60)
    configuration.disks = try (0..<disks).map {
      try ScratchDisk(serial: "disk\($0)", size: Int64(diskSize) << 20)
    }
    if shell {
      try await GuestConsole.enter(configuration, on: kernel, directory: try Self.currentDirectory())
    }
    let guest = try await Guest.start(configuration, on: kernel)
    let status: Int32
    do {
      defer { if log { Self.write(Array(guest.log.text.utf8), to: .standardError) } }
      let result = try await guest.run(
        command, environment: Self.environment(), directory: try Self.currentDirectory(),
        limit: .seconds(limit)
      ) { stream, bytes in
        Self.write(bytes, to: stream == .output ? .standardOutput : .standardError)
      }
      status = result.status
      try await guest.shutDown()
    }
    if status != 0 { throw ExitCode(status) }
  }

  private static func write(_ bytes: [UInt8], to file: FileDescriptor) {
    // When nobody reads it any longer, the command goes on.
    _ = try? file.writeAll(bytes)
  }

  private static func currentDirectory() throws -> FilePath {
    guard let path = getcwd(nil, 0) else {
      throw Failure.system(Errno(rawValue: errno), "the current directory", "cannot be told")
    }
    defer { free(path) }
    return FilePath(String(cString: path))
  }

  private static func environment() -> [String: String] {
    var variables: [String: String] = [:]
    var next = environ
    while let entry = next.pointee {
      let pair = String(cString: entry).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      if pair.count == 2 { variables[String(pair[0])] = String(pair[1]) }
      next += 1
    }
    return variables
  }
}
