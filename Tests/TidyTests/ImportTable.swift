/// What each module may import; the package manager does not object to an import of what a dependency depends on.
enum ImportTable {
  /// Modules that are programs: they may print, and exit.
  static let programs: Set<String> = ["quartet", "dev", "example", "guest-agent", "simulate"]

  /// By module, without what every one may import; backends, simulators and tests follow from their names.
  private static let modules: [String: Set<String>] = [
    "HostInterface": [],
    "LinuxHost": ["HostInterface", "CLibKmod", "CLibUdev", "Subprocess"],
    "HostRecording": ["HostInterface", "FoundationEssentials"],
    "Simulation": ["HostInterface"],
    "ReplicatedVolume": ["HostInterface", "FoundationEssentials"],
    "VolumeSimulator": ["HostInterface", "HostRecording", "Simulation"],
    "BlockEngine": ["HostInterface"],
    "ExtentPool": ["BlockEngine", "HostInterface"],
    "BlockSimulation": ["BlockEngine", "HostInterface"],
    "LinuxBlockDevices": ["BlockEngine", "CLibAIO", "HostInterface"],
    "EmbeddedPool": [
      "BlockEngine", "ExtentPool", "HostInterface", "LinuxBlockDevices", "NBDClient",
      "ReplicatedVolume", "FoundationEssentials",
    ],
    "NBDKitPlugin": [
      "BlockEngine", "CNBDKit", "EmbeddedPool", "ExtentPool", "HostInterface", "LinuxBlockDevices",
      "LinuxHost", "ReplicatedVolume",
    ],
    "NBDClient": ["BlockEngine", "CLibNBD", "HostInterface", "LinuxBlockDevices"],
    "simulate": ["BlockEngine", "BlockSimulation"],
    "TargetCore": ["HostInterface"],
    "StateFile": ["HostInterface", "ReplicatedVolume", "TargetCore", "Yams", "CYaml"],
    "Quartet": [
      "HostInterface", "ReplicatedVolume", "TargetCore", "BackendRegistry", "LinuxHost", "Logging",
      "FoundationEssentials",
    ],
    "NBDTesting": ["BlockSimulation", "HostInterface"],
    "TargetBackendTesting": ["HostInterface", "TargetCore", "Simulation", "HostRecording", "Quartet"],
    "quartet": [
      "BlockEngine", "EmbeddedPool", "HostInterface", "ReplicatedVolume", "TargetCore", "StateFile",
      "Quartet", "LinuxHost",
      "ArgumentParser", "Logging",
      "FoundationEssentials",
    ],
    "GuestProtocol": ["HostInterface"],
    "guest-agent": ["GuestProtocol", "HostInterface"],
    "VirtualMachine": ["HostInterface", "GuestProtocol", "LinuxHost", "CTimeStampCounter"],
    "dev": [
      "BlockEngine", "ExtentPool", "LinuxBlockDevices",
      "VirtualMachine",
      "HostInterface", "HostRecording", "TargetCore", "StateFile", "Quartet", "LinuxHost", "ArgumentParser",
      "Simulation", "IETSimulator", "LIOSimulator", "SCSTSimulator", "STGTSimulator",
    ],
    "example": ["LinuxHost", "Quartet", "TargetCore", "HostInterface"],
  ]

  /// The C library, the types of system calls, and locks.
  private static let everywhere: Set<String> = ["Glibc", "SystemPackage", "Synchronization"]
  /// A backend touches no system: it has neither the C library nor anything to lock.
  private static let inBackends: Set<String> = ["HostInterface", "TargetCore", "SystemPackage"]
  /// What single backends have besides: LIO's configuration file is JSON.
  private static let inBackend: [String: Set<String>] = ["LIOBackend": ["FoundationEssentials"]]

  /// What a module may import; nil for one that the table does not know.
  static func allowed(in module: String, backends: [String]) -> Set<String>? {
    if module == "BackendRegistry" { return Set(backends.map { $0 + "Backend" } + ["TargetCore"]) }
    if let own = modules[module] { return own.union(everywhere) }
    for backend in backends {
      if module == backend + "Backend" { return inBackends.union(inBackend[module] ?? []) }
      // A simulator that knew its backend would share its misreadings.
      if module == backend + "Simulator" {
        return everywhere.union(["HostInterface", "HostRecording", "Simulation", "FoundationEssentials"])
      }
    }
    return nil
  }

  /// What no test may import: another backend than its own, and all of Foundation.
  static func forbidden(inTests module: String, backends: [String]) -> Set<String> {
    let others = backends.filter {
      module == $0 + "Tests" ? false : backends.contains { module == $0 + "Tests" }
    }
    return Set(others.flatMap { [$0 + "Backend", $0 + "Simulator"] } + ["Foundation"])
  }
}
