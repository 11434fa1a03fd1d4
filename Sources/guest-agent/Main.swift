import Glibc
import HostInterface
import SystemPackage

/// The program that a guest runs from its start: `guest-agent PORT`.
///
/// It serves the host over a virtio-serial port until it is told to switch the machine off. What goes wrong
/// stands on the console, which the host records.
@main enum Main {
  static func main() {
    guard CommandLine.arguments.count == 2 else {
      complain("usage: guest-agent PORT")
      exit(64)
    }
    do {
      var agent = try Agent(port: CommandLine.arguments[1])
      try agent.serve()
    } catch {
      complain("guest-agent: \(error)")
      exit(1)
    }
  }

  private static func complain(_ text: String) {
    _ = try? FileDescriptor.standardError.writeAll("\(text)\n".utf8)
  }
}
