import HostInterface
import SystemPackage
import TargetCore

extension BackendDescriptor {
  /// LIO, the target of the mainline kernel.
  public static let lio = BackendDescriptor(
    name: "lio", aliases: ["lio-t"], summary: "LIO: the mainline kernel's target, through configfs",
    formats: ["saveconfig": SaveConfig.format]
  ) { _ in LIOBackend() }
}

/// Drives LIO through configfs; neither targetcli nor Python is used.
struct LIOBackend: TargetBackend {
  var capabilities: Capabilities { .lio }
  // Backstores in different HBAs are made side by side; more than four at a time gains nothing going up.
  var concurrency: Int { 4 }
  var answersAreProof: Bool { true }
  var lockName: String { "lio" }

  func probe(_ host: any Host) async -> Probe {
    do {
      if try host.status(FilePath(LIOPaths.fabric)) != nil {
        let version = try? host.text(FilePath(LIOPaths.root + "/version")).trimmed
        return Probe(
          installed: true, running: true, version: version, detail: "configfs has \(LIOPaths.fabric)")
      }
      let loaded = try host.isModuleLoaded("target_core_mod")
      guard try loaded || hasModule(host) else {
        return Probe(
          installed: false, running: false, detail: "the kernel has no module target_core_mod")
      }
      return Probe(
        installed: true, running: false,
        detail: loaded ? "iscsi_target_mod is not loaded" : "target_core_mod is not loaded")
    } catch {
      return Probe(installed: false, running: false, detail: "\(error)")
    }
  }

  /// Whether the modules of the running kernel have LIO's among them.
  private func hasModule(_ host: any Host) throws -> Bool {
    let release = try host.text("/proc/sys/kernel/osrelease").trimmed
    let file = "/lib/modules/\(release)/kernel/drivers/target/target_core_mod.ko"
    return try ["", ".xz", ".zst", ".gz"].contains { try host.status(FilePath(file + $0)) != nil }
  }

  func startSteps() -> [Step] {
    let reason = "make the kernel's target answer"
    return [
      Step(.loadModule(name: "configfs"), reason: reason),
      Step(
        .run(Command(["mount", "-t", "configfs", "configfs", Text(LIOPaths.configfs)], limit: .seconds(10))),
        reason: "mount configfs"),
      Step(.loadModule(name: "target_core_mod"), reason: reason),
      Step(.loadModule(name: "iscsi_target_mod"), reason: reason),
      Step(.createDirectory(path: Text(LIOPaths.fabric)), reason: reason),
    ]
  }

  func steps(for change: Change, in state: LiveState) throws -> [Step] {
    try LIOPlanner(state: state, reason: change.description).steps(for: change)
  }

  func judge(_ operation: Operation, _ answer: Result<Answer, Failure>) -> Verdict {
    switch (operation, answer) {
    case (.createDirectory(let path), .failure(let failure)) where failure.code == .exists:
      return LIOPaths.mayStandAlready(path.display) ? .done : .failed(failure)
    case (.createDirectory(let path), .failure(var failure))
    where failure.errno == .invalidArgument && LIOPaths.isHost(path.display):
      if let module = Backstore.modules.first(where: { path.display.contains("/\($0.key)_") })?.value {
        failure.remedy = "see whether the kernel's module \(module) is installed (modprobe \(module))"
      }
      return .failed(failure)
    // An HBA that tools share among devices stays until the last of them goes.
    case (.removeDirectory(let path), .failure(let failure))
    where failure.errno == .directoryNotEmpty && LIOPaths.isHost(path.display):
      return .done
    // mount(8) says with 32 that it is mounted already.
    case (.run(let command), .success(.command(let result))) where command.argv.first == "mount":
      return result.status == 0 || result.errors.contains("already mounted")
        ? .done : Executor.plainJudge(operation, answer)
    case (.write(let path, let contents), .failure(var failure)):
      let file = path.display.split(separator: "/").last.map(String.init) ?? path.display
      failure.problem =
        "the kernel refused \(contents.display.trimmed.debugDescription) for \(file) (\(path.display))"
      return failure.code == .inUse ? .busy(failure) : .failed(failure)
    default: return Executor.plainJudge(operation, answer)
    }
  }
}
