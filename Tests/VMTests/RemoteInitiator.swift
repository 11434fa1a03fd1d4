import HostInterface
import Synchronization
import Testing

/// The kernel's own initiator in a guest of its own, or in the other node's, logged in over the network.
struct RemoteInitiator {
  /// Its name.
  static let name = "iqn.1993-08.org.debian:01:guest"
  static let target = "iqn.2011-12.com.example:disk1"

  let node: Node

  /// Starts its daemon; a connection that answers nothing is given up after some seconds, and looked for again.
  init(on node: Node) async throws {
    self.node = node
    let settings = """
      node.startup = manual
      node.session.timeo.replacement_timeout = 240
      node.conn[0].timeo.login_timeout = 5
      node.conn[0].timeo.noop_out_interval = 2
      node.conn[0].timeo.noop_out_timeout = 5
      """
    try await node.shell(
      """
      for module in iscsi_tcp sd_mod sg; do modprobe $module; done
      echo "InitiatorName=$1" > /etc/iscsi/initiatorname.iscsi
      echo "$2" > /etc/iscsi/iscsid.conf
      iscsid -f > /run/iscsid.log 2>&1 < /dev/null &
      for try in $(seq 600); do
        answer=0; iscsiadm -m session 2>/dev/null || answer=$?
        [ $answer = 21 ] && exit 0
        busybox usleep 100000
      done
      cat /run/iscsid.log; exit 1
      """, Self.name, settings)
  }

  /// Logs in; returns the path of the logical unit's disk.
  func logIn(at portal: String) async throws -> String {
    try await node.shell(
      """
      exec 3>&1 >&2
      iscsiadm -m node -T $1 -p $2 -o new
      iscsiadm -m node -T $1 -p $2 --login
      for try in $(seq 600); do
        for unit in /sys/class/iscsi_session/*/device/target*/*:1/block/*; do
          [ -e $unit ] && echo /dev/${unit##*/} >&3 && exit 0
        done
        busybox usleep 100000
      done
      exit 1
      """, Self.target, portal)
  }

  /// Looks for what changed in logical units that are known.
  func rescan() async throws { try await node.shell("iscsiadm -m session --rescan") }

  /// Writes one numbered sector after the other past all caches, until ``Writing/end()``.
  func write(to disk: String) -> Writing { Writing(node, disk) }

  /// Writes that go on; each is told as soon as the target has acknowledged it.
  final class Writing: Sendable {
    private let node: Node
    private let lines: Lines
    private let run: Task<CommandResult, any Error>

    private final class Lines: Sendable {
      let count = Mutex(0)
    }

    fileprivate init(_ node: Node, _ disk: String) {
      self.node = node
      let lines = Lines()
      self.lines = lines
      let script = """
        number=0
        while [ ! -e /run/enough ]; do
          printf %08d $number |
            dd of=\(disk) bs=512 seek=$number count=1 conv=sync,notrunc oflag=direct status=none || exit 1
          echo $number
          number=$((number + 1))
        done
        """
      run = Task {
        try await node.guest.run(["sh", "-c", script], limit: .seconds(400)) { stream, bytes in
          if stream == .output { lines.count.withLock { $0 += bytes.count { $0 == UInt8(ascii: "\n") } } }
        }
      }
    }

    /// How many writes were acknowledged so far.
    var acknowledged: Int { lines.count.withLock { $0 } }

    /// Waits until so many writes were acknowledged.
    func await(_ count: Int, at location: SourceLocation = #_sourceLocation) async throws {
      let deadline = ContinuousClock.now + .seconds(150)
      while acknowledged < count {
        try #require(
          ContinuousClock.now < deadline, "\(acknowledged) of \(count) writes", sourceLocation: location)
        try await Task.sleep(for: .milliseconds(100))
      }
    }

    /// Stops; returns how many writes were acknowledged. None may have failed.
    func end() async throws -> Int {
      try await node.shell("touch /run/enough")
      let result = try await run.value
      try #require(result.status == 0, "\(result.errors)")
      return acknowledged
    }
  }
}
