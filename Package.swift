// swift-tools-version: 6.2
import PackageDescription

/// One word a backend: its folder under `Backends/` holds Sources, Simulator and Tests.
let backends = ["IET", "STGT", "LIO", "SCST"]

let system: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")
let log: Target.Dependency = .product(name: "Logging", package: "swift-log")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let settings: [SwiftSetting] = [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]

func library(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: dependencies, swiftSettings: settings)
}

func targets(ofBackend name: String) -> [Target] {
  [
    .target(
      name: "\(name)Backend", dependencies: ["HostInterface", "TargetCore", system],
      path: "Backends/\(name)/Sources", swiftSettings: settings),
    .target(
      name: "\(name)Simulator", dependencies: ["HostInterface", "HostRecording", "Simulation", system],
      path: "Backends/\(name)/Simulator", swiftSettings: settings),
    .testTarget(
      name: "\(name)Tests",
      dependencies: [
        .target(name: "\(name)Backend"), .target(name: "\(name)Simulator"), "HostInterface", "HostRecording",
        "LinuxHost", "Quartet", "Simulation", "TargetBackendTesting", "TargetCore", system,
      ],
      path: "Backends/\(name)/Tests", swiftSettings: settings),
  ]
}

let package = Package(
  name: "quartet",
  products: [
    .library(
      name: "Quartet", targets: ["Quartet", "ReplicatedVolume", "TargetCore", "HostInterface", "LinuxHost"]),
    .library(
      name: "TargetBackendTesting",
      targets: ["TargetBackendTesting", "Simulation", "HostRecording"] + backends.map { "\($0)Simulator" }),
    .executable(name: "quartet", targets: ["quartet-cli"]),
    .library(name: "nbdkit-quartet-plugin", type: .dynamic, targets: ["NBDKitPlugin"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.10.0"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
    .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.0", traits: []),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
  ],
  targets: [
    .systemLibrary(name: "CLibAIO", providers: [.apt(["libaio-dev"]), .yum(["libaio-devel"])]),
    .systemLibrary(name: "CLibNBD", providers: [.apt(["libnbd-dev"]), .yum(["libnbd-devel"])]),
    // Only headers: nbdkit itself has the functions, when it loads the plugin.
    .systemLibrary(name: "CNBDKit", providers: [.apt(["nbdkit-plugin-dev"]), .yum(["nbdkit-devel"])]),
    // Without pkgConfig, which would link them: they are loaded when they are needed.
    .systemLibrary(name: "CLibUdev", providers: [.apt(["libudev-dev"]), .yum(["systemd-devel"])]),
    .systemLibrary(name: "CLibKmod", providers: [.apt(["libkmod-dev"]), .yum(["kmod-devel"])]),

    library("HostInterface", [system]),
    library(
      "LinuxHost",
      [
        "HostInterface", "CLibUdev", "CLibKmod", system,
        .product(name: "Subprocess", package: "swift-subprocess"),
      ]),
    library("HostRecording", ["HostInterface", system]),
    library("Simulation", ["HostInterface", system]),
    library("ReplicatedVolume", ["HostInterface", system]),
    library("VolumeSimulator", ["HostInterface", "HostRecording", "Simulation", system]),
    library("BlockEngine", ["HostInterface"]),
    library("ExtentPool", ["BlockEngine", "HostInterface"]),
    library("BlockSimulation", ["BlockEngine", "HostInterface"]),
    library("LinuxBlockDevices", ["BlockEngine", "CLibAIO", "HostInterface", system]),
    library(
      "EmbeddedPool",
      [
        "BlockEngine", "ExtentPool", "HostInterface", "LinuxBlockDevices", "NBDClient", "ReplicatedVolume",
        system,
      ]),
    library("NBDClient", ["BlockEngine", "CLibNBD", "HostInterface", "LinuxBlockDevices", system]),
    .target(
      name: "NBDKitPlugin",
      dependencies: [
        "BlockEngine", "CNBDKit", "EmbeddedPool", "ExtentPool", "HostInterface", "LinuxBlockDevices",
        "LinuxHost", "ReplicatedVolume", system,
      ],
      // Never unloaded: threads of Swift's own may outlive what nbdkit calls.
      swiftSettings: settings,
      linkerSettings: [
        .unsafeFlags(["-Xlinker", "-z", "-Xlinker", "nodelete"]),
        // The package manager does that for programs only.
        .unsafeFlags(["-static-stdlib"], .when(configuration: .release)),
      ]),
    library("TargetCore", ["HostInterface"]),
    .target(
      name: "StateFile", dependencies: ["HostInterface", "ReplicatedVolume", "TargetCore", "Yams", system],
      exclude: ["quartet-state.schema.json"], swiftSettings: settings),
    .target(
      name: "BackendRegistry", dependencies: ["TargetCore"] + backends.map { .target(name: "\($0)Backend") },
      path: "Backends", exclude: backends, sources: ["Registry.swift"], swiftSettings: settings),
    library(
      "Quartet",
      ["HostInterface", "ReplicatedVolume", "TargetCore", "BackendRegistry", "LinuxHost", log, system]),
    library("NBDTesting", ["BlockSimulation", "HostInterface", system]),
    library("TargetBackendTesting", ["HostInterface", "TargetCore", "Quartet", "Simulation", system]),
    .executableTarget(
      name: "quartet-cli",
      dependencies: [
        "BlockEngine", "EmbeddedPool", "HostInterface", "ReplicatedVolume", "TargetCore", "StateFile",
        "Quartet", arguments,
        log, system,
      ],
      path: "Sources/quartet", swiftSettings: settings),
    .executableTarget(name: "bench-floor"),
    .executableTarget(
      name: "simulate", dependencies: ["BlockEngine", "BlockSimulation"], swiftSettings: settings),
    library("GuestProtocol", ["HostInterface"]),
    .executableTarget(
      name: "guest-agent", dependencies: ["GuestProtocol", "HostInterface", system], swiftSettings: settings),
    .systemLibrary(name: "CTimeStampCounter"),
    library("VirtualMachine", ["CTimeStampCounter", "GuestProtocol", "HostInterface", "LinuxHost", system]),
    .executableTarget(
      name: "example", dependencies: ["LinuxHost", "Quartet", "TargetCore"], swiftSettings: settings),
    .executableTarget(
      name: "dev",
      dependencies: [
        "BlockEngine", "ExtentPool", "LinuxBlockDevices",
        "HostInterface", "HostRecording", "LinuxHost", "Quartet", "TargetCore", "VirtualMachine",
        "Simulation", "guest-agent", arguments, system,
      ] + backends.map { .target(name: "\($0)Simulator") },
      swiftSettings: settings),

    tests("HostInterfaceTests", ["HostInterface", "Simulation", system]),
    tests("LinuxHostTests", ["HostInterface", "LinuxHost", system]),
    tests("HostRecordingTests", ["HostInterface", "HostRecording", "Simulation", system]),
    tests("SimulationTests", ["HostInterface", "Simulation", system]),
    tests(
      "ReplicatedVolumeTests",
      ["HostInterface", "ReplicatedVolume", "Simulation", "VolumeSimulator", system]),
    tests("BlockEngineTests", ["BlockEngine", "BlockSimulation", "HostInterface"]),
    tests("ExtentPoolTests", ["BlockEngine", "BlockSimulation", "ExtentPool", "HostInterface"]),
    tests(
      "LinuxBlockDevicesTests", ["BlockEngine", "CLibAIO", "HostInterface", "LinuxBlockDevices", system]),
    tests(
      "NBDKitPluginTests",
      [
        "BlockEngine", "BlockSimulation", "EmbeddedPool", "ExtentPool", "HostInterface",
        "LinuxBlockDevices", "LinuxHost", "NBDTesting", "ReplicatedVolume", system,
      ]),
    tests(
      "EmbeddedPoolTests",
      [
        "BlockEngine", "EmbeddedPool", "HostInterface", "LinuxBlockDevices", "LinuxHost",
        "ReplicatedVolume", "Simulation", system,
      ]),
    tests("NBDClientTests", ["BlockEngine", "HostInterface", "LinuxBlockDevices", "NBDClient", system]),
    tests("TargetCoreTests", ["HostInterface", "TargetCore"]),
    tests(
      "StateFileTests", ["HostInterface", "ReplicatedVolume", "TargetCore", "StateFile", "Yams", system]),
    tests(
      "QuartetTests",
      [
        "HostInterface", "ReplicatedVolume", "TargetCore", "Quartet", "BackendRegistry", "Simulation",
        "STGTSimulator", system,
      ]),
    tests(
      "FourTargetsTests",
      [
        "HostInterface", "TargetCore", "Quartet", "ReplicatedVolume", "Simulation", "VolumeSimulator",
        "quartet-cli", arguments, system,
      ]
        + backends.map { .target(name: "\($0)Simulator") }),
    tests("CLITests", ["HostInterface", "LinuxHost", "quartet-cli", system]),
    tests(
      "VMTests",
      [
        "GuestProtocol", "HostInterface", "LinuxHost", "NBDTesting", "Quartet", "ReplicatedVolume",
        "TargetCore", "VirtualMachine", "dev", "guest-agent", "quartet-cli", system,
      ]),
    tests(
      "DevTests",
      ["HostInterface", "LinuxHost", "Simulation", "dev", system]
        + backends.map { .target(name: "\($0)Simulator") }),
    .testTarget(
      name: "TidyTests", dependencies: ["BackendRegistry", "TargetCore", system],
      exclude: ["CodeForms.txt", "ImportForms.txt"], swiftSettings: settings),
  ] + backends.flatMap(targets(ofBackend:))
)
