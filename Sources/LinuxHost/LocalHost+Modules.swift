internal import CLibKmod
import Glibc
import HostInterface
import SystemPackage

extension LocalHost {
  /// Loads a module and what it depends on, as modprobe(8) does; one that is loaded or built in is success.
  ///
  /// - Throws: ``Failure/Code/unavailable`` when the running kernel's modules are not installed or the module is
  ///   not among them, ``Failure/Code/refused`` when modprobe.d blacklists it.
  public func loadModule(_ name: String) throws {
    if try isModuleLoaded(name) { return }
    let directory = try modulesOfKernel()
    guard try status(directory)?.kind == .directory else {
      throw Failure(
        .unavailable, "kernel module \(name)",
        "the kernel's modules are not installed: there is no \(directory)",
        remedy: "install the package of the running kernel's modules, or boot an installed kernel")
    }
    let catalogue = try ModuleCatalogue(directory)
    guard let module = try catalogue.find(name) else {
      throw Failure(
        .unavailable, "kernel module \(name)", "is not among the modules in \(directory)",
        remedy: "install the package that builds it for this kernel")
    }
    try module.insert()
  }

  /// Whether a module is loaded, by /sys/module, or built into the kernel, by its modules.builtin.
  public func isModuleLoaded(_ name: String) throws -> Bool {
    guard !name.isEmpty, name.utf8.allSatisfy({ $0.isModuleNameByte }) else {
      throw Failure(.invalid, "kernel module \(name)", "is no module name: only letters, digits, - and _ are")
    }
    let wanted = underscored(name)
    if try status(FilePath("/sys/module").appending(wanted)) != nil { return true }
    // One line a module: its path in the kernel's tree (Documentation/kbuild/kbuild.rst). A built-in module
    // without parameters and version is in /sys/module no more than one that does not exist.
    let list = try modulesOfKernel().appending("modules.builtin")
    guard try status(list) != nil else { return false }
    return try text(list).split(separator: "\n").contains {
      FilePath(String($0)).stem.map(underscored) == wanted
    }
  }

  /// A module's name as the kernel has it: with _ where its file may have -.
  private func underscored(_ name: String) -> String { String(name.map { $0 == "-" ? "_" : $0 }) }

  private func modulesOfKernel() throws -> FilePath {
    if let moduleDirectory { return moduleDirectory }
    var name = utsname()
    try onPath("/lib/modules", "cannot tell the kernel's release") { try checked(uname(&name)) }
    let release = withUnsafeBytes(of: &name.release) {
      String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
    }
    return FilePath("/lib/modules").appending(release)
  }
}

extension UInt8 {
  fileprivate var isModuleNameByte: Bool {
    switch self {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
      true
    default: false
    }
  }
}

/// The index of a kernel's modules, read through libkmod.
private final class ModuleCatalogue {
  // Sound: the functions are filled in once, before anyone sees them, and never change.
  private nonisolated(unsafe) static let loaded = kmod_load()

  let library: kmod_functions
  private let directory: FilePath
  private let context: OpaquePointer

  init(_ directory: FilePath) throws {
    guard let library = Self.loaded?.pointee else {
      throw Failure(
        .unavailable, "libkmod", "cannot be loaded, and it finds the kernel's modules",
        remedy: "install Debian's package libkmod2")
    }
    self.library = library
    self.directory = directory
    guard let context = library.kmod_new(directory.string, nil) else {
      throw Failure(.refused, "\(directory)", "libkmod cannot read the module configuration")
    }
    // By default it writes to standard error, which is the program's.
    library.kmod_set_log_priority(context, LOG_EMERG)
    self.context = context
  }

  deinit { _ = library.kmod_unref(context) }

  /// The module that a name or alias stands for.
  func find(_ name: String) throws -> KernelModule? {
    var list: OpaquePointer?
    let answer = library.kmod_module_new_from_lookup(context, name, &list)
    guard answer >= 0 else {
      throw Failure.system(Errno(rawValue: -answer), "\(directory)", "cannot look for kernel module \(name)")
    }
    defer { _ = library.kmod_module_unref_list(list) }
    return list.flatMap { library.kmod_module_get_module($0) }.map { KernelModule(name, $0, self) }
  }
}

private final class KernelModule {
  private let name: String
  private let module: OpaquePointer
  /// A module is of no use without the context that it came from.
  private let catalogue: ModuleCatalogue

  init(_ name: String, _ module: OpaquePointer, _ catalogue: ModuleCatalogue) {
    self.name = name
    self.module = module
    self.catalogue = catalogue
  }

  deinit { _ = catalogue.library.kmod_module_unref(module) }

  func insert() throws {
    let flags = KMOD_PROBE_APPLY_BLACKLIST.rawValue
    let answer = catalogue.library.kmod_module_probe_insert_module(module, flags, nil, nil, nil, nil)
    if answer == Int32(flags) {
      throw Failure(
        .refused, "kernel module \(name)", "the configuration in modprobe.d blacklists it",
        remedy: "remove its blacklist line")
    }
    guard answer == 0 || answer == -EEXIST else {
      throw Failure.system(Errno(rawValue: -answer), "kernel module \(name)", "cannot load it")
    }
  }
}
