import HostInterface
import SystemPackage

extension SimulatedHost {
  /// Who uses a file or device, as ``addHolder(_:of:)`` and ``mount(_:at:)`` said.
  public func holders(of path: FilePath) throws -> [Holder] {
    guard let status = try status(path) else {
      throw Failure(.notFound, "\(path)", "there is no such file or device")
    }
    return machine.withLock { machine in
      machine.holders.filter { $0.identity == status.identity }.map(\.holder)
    }
  }

  /// Loads an installed module.
  ///
  /// - Throws: ``Failure/Code/unavailable`` when it is not installed.
  public func loadModule(_ name: String) throws {
    if try isModuleLoaded(name) { return }
    let isInstalled = machine.withLock { machine in
      guard machine.modules[name.underscored] != nil else { return false }
      machine.modules[name.underscored] = true
      return true
    }
    guard isInstalled else {
      throw Failure(
        .unavailable, "kernel module \(name)", "is not among the modules of the simulated machine",
        remedy: "install the package that builds it for this kernel")
    }
  }

  /// Whether a module is loaded.
  public func isModuleLoaded(_ name: String) throws -> Bool {
    guard !name.isEmpty, name.utf8.allSatisfy(isModuleNameByte) else {
      throw Failure(.invalid, "kernel module \(name)", "is no module name: only letters, digits, - and _ are")
    }
    return machine.withLock { $0.modules[name.underscored] == true }
  }

  private func isModuleNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
      true
    default: false
    }
  }
}
