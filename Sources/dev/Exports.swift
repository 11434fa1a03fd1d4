import HostInterface
import SystemPackage
import TargetCore

/// So many targets with so many logical units each, on files of 1 MiB; every contestant makes the same.
struct Exports {
  let directory: FilePath
  let targets: Int
  let luns: Int
  /// The portals that each target has, where targets have their own.
  var portals: [String]?

  var description: String {
    "\(targets) target\(targets == 1 ? "" : "s") with \(luns) LUN\(luns == 1 ? "" : "s")"
  }

  func name(_ target: Int) -> String { "iqn.2011-12.com.example:bench\(target)" }
  func backing(_ target: Int, _ lun: Int) -> String { directory.appending("\(target)-\(lun).img").string }

  func identity(_ target: Int, _ lun: Int) -> String {
    func hexadecimal(_ number: Int) -> String {
      let digits = String(number, radix: 16)
      return String(repeating: "0", count: 8 - digits.count) + digits
    }
    return hexadecimal(target) + hexadecimal(lun)
  }

  /// Makes the files that are not there yet; they are sparse.
  func makeBackings(on host: any HostFiles) throws {
    for target in 1...targets {
      for lun in 1...luns {
        let path = FilePath(backing(target, lun))
        if try host.status(path) != nil { continue }
        let file = try FileDescriptor.open(
          path, .writeOnly, options: [.create], permissions: .ownerReadWrite)
        defer { try? file.close() }
        try file.resize(to: 1 << 20)
      }
    }
  }

  /// The state file of them.
  var document: String {
    var text = "quartet: 1\ntargets:\n"
    for target in 1...targets {
      text += "  - name: \(name(target))\n    initiators: all\n"
      if let portals { text += "    portals: [\(portals.map { "\"\($0)\"" }.joined(separator: ", "))]\n" }
      text += "    luns:\n"
      for lun in 1...luns {
        let id = identity(target, lun)
        text += "      - {lun: \(lun), path: \(backing(target, lun)), scsiID: \"\(id)\", serial: \"\(id)\"}\n"
      }
    }
    return text
  }

  /// What ``document`` says.
  func desiredState() throws -> DesiredState {
    DesiredState(
      targets: try (1...targets).map { target in
        var spec = TargetSpec(name: try TargetName(name(target)))
        spec.initiators = [.all]
        spec.portals = try portals?.map { try Portal($0) }
        spec.units = try (1...luns).map { lun in
          var unit = LogicalUnit(lun: try LUN(lun), backing: try Backing(path: backing(target, lun)))
          unit.serial = identity(target, lun)
          unit.scsiID = identity(target, lun)
          return unit
        }
        return spec
      })
  }
}
