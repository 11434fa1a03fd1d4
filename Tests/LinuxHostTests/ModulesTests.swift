import Glibc
import HostInterface
import SystemPackage
import Testing

@testable import LinuxHost

@Suite struct ModulesTests {
  let scratch: Scratch

  init() throws { scratch = try Scratch() }

  /// A machine whose modules are in `directory`.
  private func host(_ directory: FilePath) -> LocalHost {
    LocalHost(lockDirectory: nil, moduleDirectory: directory)
  }

  /// A directory of modules with one, `quartet_built_in`, that is built in (the format of depmod's index files).
  private func modules() throws -> FilePath {
    let directory = scratch.path.appending("modules")
    try LocalHost().createDirectory(directory)
    for name in ["modules.dep", "modules.order"] { _ = try scratch.file("modules/" + name) }
    _ = try scratch.file("modules/modules.builtin", "kernel/drivers/quartet_built_in.ko\n")
    return directory
  }

  @Test func aMachineWithoutModulesGetsAClearError() throws {
    let directory = scratch.path.appending("6.1.0-nowhere")
    let failure = #expect(throws: Failure.self) { try host(directory).loadModule("quartet_none") }
    #expect(failure?.code == .unavailable)
    #expect(
      failure?.description
        == "kernel module quartet_none: the kernel's modules are not installed: there is no \(directory)"
        + "; install the package of the running kernel's modules, or boot an installed kernel")
    #expect(try !host(directory).isModuleLoaded("quartet_none"))
  }

  @Test func aModuleInSysCountsAsLoaded() throws {
    let loaded = try #require(LocalHost().list("/sys/module").first)
    let host = host(scratch.path.appending("nowhere"))
    #expect(try host.isModuleLoaded(loaded))
    try host.loadModule(loaded)
    let dashed = String(loaded.map { $0 == "_" ? "-" : $0 })
    #expect(try host.isModuleLoaded(dashed))
  }

  @Test func aBuiltInModuleCountsAsLoaded() throws {
    let host = host(try modules())
    #expect(try host.isModuleLoaded("quartet_built_in"))
    #expect(try host.isModuleLoaded("quartet-built-in"))
    try host.loadModule("quartet_built_in")
  }

  @Test func anUnknownModuleIsUnavailable() throws {
    let host = host(try modules())
    #expect(try !host.isModuleLoaded("quartet_none"))
    let failure = #expect(throws: Failure.self) { try host.loadModule("quartet_none") }
    #expect(failure?.code == .unavailable)
    #expect(failure?.remedy == "install the package that builds it for this kernel")
  }

  @Test(arguments: ["", "../x", "a b", "a\nb", "*"])
  func otherNamesAreRefused(_ name: String) {
    #expect(#expect(throws: Failure.self) { try LocalHost().loadModule(name) }?.code == .invalid)
  }
}
