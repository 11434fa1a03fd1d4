import Glibc
import HostInterface
import SystemPackage

/// An nbdkit(1) that serves by a socket in a directory.
final class NBDServer {
  let uri: String
  private let child: Child

  init(_ plugin: [String], environment: [String: String] = [:], directory: FilePath) throws {
    let socket = directory.appending("nbd-\(UInt32.random(in: 0 ... .max))").string
    uri = "nbd+unix:///?socket=\(socket)"
    child = try Child(
      ["nbdkit", "--foreground", "--exit-with-parent", "--unix", socket] + plugin,
      environment: environment, output: directory.appending("nbdkit.log").string)
    // Ten seconds at most.
    for _ in 0..<200 {
      if (try? Child.run(["nbdinfo", "--size", uri])) != nil { return }
      usleep(50_000)
    }
    child.kill()
    throw Failure(.timedOut, "nbdkit", "does not serve", remedy: "see \(directory)/nbdkit.log")
  }

  func end() { child.kill() }
}
