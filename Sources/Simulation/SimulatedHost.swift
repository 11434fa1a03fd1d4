import HostInterface
import Synchronization
import SystemPackage

/// A machine in memory: files, devices, programs, modules, sockets, locks, and a clock of its own.
///
/// It answers with the failures, codes and error numbers of a real machine. Time is virtual: a wait moves the clock at
/// once, runs what was put off until then (``perform(after:_:)``), and takes no time. It may be used from any number
/// of tasks; waits of several tasks add up.
public final class SimulatedHost: Host {
  struct Machine {
    var tree = FileTree()
    var now = Duration.zero
    var events: [Event] = []
    var eventCount = 0
    var modules: [String: Bool] = [:]
    var holders: [(identity: String, holder: Holder)] = []
    var listeners: [FileTree.Number: any SimulatedService] = [:]
    var behaviours: [String: @Sendable (SimulatedInvocation) -> SimulatedOutcome] = [:]
    var locks: Set<String> = []
    var kernelFileSystems: [(point: FilePath, fileSystem: any KernelFileSystem)] = []
    var nextMinor = 0
  }

  /// Something that happens by itself at a time.
  struct Event {
    var time: Duration
    var order: Int
    var action: @Sendable (SimulatedHost) -> Void
  }

  let machine = Mutex(Machine())
  let services: [any SimulatedService]

  /// A machine with the usual empty directories and the given models.
  public init(services: [any SimulatedService] = []) {
    self.services = services
    for directory in [
      "/dev", "/etc", "/proc", "/run", "/srv", "/sys", "/tmp", "/usr/bin", "/usr/sbin", "/var",
    ] {
      addDirectory(FilePath(directory))
    }
    machine.withLock { machine in
      _ = try? machine.tree.insert(.link("/run"), at: "/var/run")
    }
    for service in services {
      service.programs.forEach { addFile(FilePath("/usr/sbin").appending($0)) }
      service.attach(to: self)
    }
  }

  /// Does something to the tree for a path; the error number that it throws becomes a ``Failure`` about the path.
  @discardableResult
  func onPath<Value: Sendable>(
    _ path: FilePath, _ problem: String, _ body: (inout Machine) throws(Errno) -> sending Value
  ) throws -> Value {
    do throws(Errno) {
      return try machine.withLock { machine throws(Errno) in try body(&machine) }
    } catch {
      throw Failure.system(error, "\(path)", problem)
    }
  }
}
