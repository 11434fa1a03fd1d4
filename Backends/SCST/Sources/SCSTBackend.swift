import HostInterface
import SystemPackage
import TargetCore

extension BackendDescriptor {
  /// SCST, the generic SCSI target subsystem: kernel modules out of tree, with iscsi-scstd.
  public static let scst = BackendDescriptor(
    name: "scst", summary: "SCST: kernel modules out of tree and iscsi-scstd, through sysfs",
    settings: ["port": "the TCP port of iscsi-scstd (iscsi-scstd -p), 3260 by default"],
    formats: ["scst.conf": SCSTConfigurationFile.format]
  ) { settings in
    var port = Portal.standardPort
    if let text = settings["port"] {
      guard let number = UInt16(text), number > 0, String(number) == text else {
        throw Failure(.invalid, "port \(text)", "is no TCP port, 1 to 65535 are allowed")
      }
      port = number
    }
    return SCSTBackend(port: port)
  }
}

/// Drives SCST through /sys/kernel/scst_tgt; scstadmin is not used.
struct SCSTBackend: TargetBackend {
  /// Where iscsi-scstd listens, for all targets.
  let port: UInt16

  var capabilities: Capabilities { .scst }
  // The result of a command that was put off is one for the whole kernel.
  var concurrency: Int { 1 }
  // Several numbers are taken and rounded without a word.
  var answersAreProof: Bool { false }
  var lockName: String { "scst" }

  func probe(_ host: any Host) async -> Probe {
    do {
      let isLoaded = try host.status(FilePath(SCSTPaths.root)) != nil
      let isInstalled =
        try isLoaded || host.isModuleLoaded("scst") || host.executable("iscsi-scstd") != nil
      guard isLoaded else {
        let detail = isInstalled ? "the module scst is not loaded" : "neither scst nor iscsi-scstd is there"
        return Probe(installed: isInstalled, running: false, detail: detail)
      }
      let reader = SCSTReader(host: host, port: port, detail: ReadDetail())
      let version = try await reader.value(SCSTPaths.root + "/version")?.split(separator: " ").last
      do {
        try await reader.checkRunning()
      } catch let failure as Failure {
        return Probe(
          installed: true, running: false, version: version.map(String.init), detail: failure.problem)
      }
      return Probe(
        installed: true, running: true, version: version.map(String.init),
        detail: "sysfs has \(SCSTPaths.driver), and iscsi-scstd runs")
    } catch {
      return Probe(installed: false, running: false, detail: "\(error)")
    }
  }

  func startSteps() -> [Step] {
    let reason = "make SCST answer"
    let modules = ["scst", "scst_vdisk", Self.passThrough, "iscsi-scst"]
    // Without these, SCST warns and forgets persistent reservations.
    let folders: [Text] = ["/var/lib/scst/pr", "/var/lib/scst/vdev_mode_pages"]
    var daemon: [Text] = ["iscsi-scstd"]
    if port != Portal.standardPort { daemon += ["-p", "\(port)"] }
    return modules.map { Step(.loadModule(name: $0), reason: reason) } + [
      Step(.run(Command(["mkdir", "-p"] + folders, limit: .seconds(10))), reason: reason),
      Step(.run(Command(daemon, limit: .seconds(30))), reason: "start iscsi-scstd"),
      Step(
        .wait(for: .reads(path: Text(SCSTPaths.driver + "/open_state"), line: "open"), limit: .seconds(10)),
        reason: "wait until iscsi-scstd serves the driver"),
    ]
  }

  /// The module for local SCSI disks, which not every installation has.
  private static let passThrough = "scst_disk"

  func steps(for change: Change, in state: LiveState) throws -> [Step] {
    try SCSTPlanner(state: state, port: port, reason: change.description).steps(for: change)
  }

  func judge(_ operation: Operation, _ answer: Result<Answer, Failure>) -> Verdict {
    switch (operation, answer) {
    case (.loadModule(Self.passThrough), .failure(let failure)) where failure.code == .unavailable:
      return .done
    case (.manage(let command), .failure(let failure)):
      if SCSTErrors.isDone(command, failure) { return .done }
      let failure = SCSTErrors.explained(failure, of: command)
      return failure.code == .inUse ? .busy(failure) : .failed(failure)
    default: return Executor.plainJudge(operation, answer)
    }
  }
}
