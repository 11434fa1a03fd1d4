import Glibc
import HostInterface
import LinuxHost
import Quartet
import SystemPackage
import TargetCore

/// So many targets with so many logical units each, in the words of each contestant.
struct BringUp {
  let place: PrivateTgtd
  let targets: Int
  let luns: Int

  /// Requests to tgtd that make them: each target and its access, two for each logical unit.
  var operations: Int { targets * (2 + 2 * luns) }
  var description: String {
    "\(targets) target\(targets == 1 ? "" : "s") with \(luns) LUN\(luns == 1 ? "" : "s")"
  }

  private func name(_ target: Int) -> String { "iqn.2011-12.com.example:bench\(target)" }
  private func backing(_ target: Int, _ lun: Int) -> String {
    place.directory.appending("\(target)-\(lun).img").string
  }
  private func identity(_ target: Int, _ lun: Int) -> String {
    func hexadecimal(_ number: Int) -> String {
      let digits = String(number, radix: 16)
      return String(repeating: "0", count: 8 - digits.count) + digits
    }
    return hexadecimal(target) + hexadecimal(lun)
  }

  /// Makes the backing files and each contestant's input.
  func prepare() throws {
    var state = "quartet: 1\ntargets:\n"
    var loop = "set -e\n"
    var admin = ""
    for target in 1...targets {
      state += "  - name: \(name(target))\n    initiators: all\n    luns:\n"
      loop += "tgtadm --lld iscsi --mode target --op new --tid \(target) --targetname \(name(target))\n"
      admin += "<target \(name(target))>\n"
      for lun in 1...luns {
        let path = backing(target, lun)
        if try place.host.status(FilePath(path)) == nil {
          _ = try place.backing("\(target)-\(lun).img", bytes: 1 << 20)
        }
        let id = identity(target, lun)
        state += "      - {lun: \(lun), path: \(path), scsiID: \"\(id)\", serial: \"\(id)\"}\n"
        loop +=
          "tgtadm --lld iscsi --mode logicalunit --op new --tid \(target) --lun \(lun) -b \(path) --bsoflags sync\n"
        loop +=
          "tgtadm --lld iscsi --mode logicalunit --op update --tid \(target) --lun \(lun) "
          + "--params scsi_id=\(id),scsi_sn=\(id)\n"
        admin +=
          "  <backing-store \(path)>\n    lun \(lun)\n    bsoflags sync\n    scsi_id \(id)\n"
          + "    scsi_sn \(id)\n  </backing-store>\n"
      }
      loop += "tgtadm --lld iscsi --mode target --op bind --tid \(target) --initiator-address ALL\n"
      admin += "  initiator-address ALL\n</target>\n"
    }
    for (file, text) in [("state.yaml", state), ("loop.sh", loop), ("targets.conf", admin)] {
      try place.host.replace(place.directory.appending(file), with: Array(text.utf8), mode: 0o600)
    }
  }

  private func file(_ name: String) -> String { place.directory.appending(name).string }

  /// The command that brings them up with a contestant.
  func command(_ contestant: Contestant) throws -> [String] {
    let program = try place.host.readLink("/proc/self/exe").removingLastComponent()
    switch contestant {
    case .quartet: return [program.appending("quartet").string, "apply", "--json", file("state.yaml")]
    case .floor:
      return [
        program.appending("bench-floor").string, "tgt", file("socket.0"), place.directory.string, "\(targets)",
        "\(luns)",
      ]
    case .loop: return ["sh", file("loop.sh")]
    case .admin: return ["tgt-admin", "-e", "-c", file("targets.conf")]
    }
  }

  /// How long a contestant takes, on a tgtd that has just been started.
  func measure(_ contestant: Contestant) async throws -> Usage {
    let daemon = try await place.started()
    defer { daemon.kill() }
    let usage = try Child.run(
      command(contestant), environment: place.environment, output: file("output.log"))
    let made = try await implementation().read().targets.values
    guard made.count == targets, made.allSatisfy({ $0.units.count == luns }) else {
      throw Failure(.notTaken, "\(contestant)", "made \(made.count) targets, not \(description)")
    }
    return usage
  }

  /// The same by the library, in this process.
  func measureLibrary() async throws -> Duration {
    let daemon = try await place.started()
    defer { daemon.kill() }
    let desired = try desiredState()
    let implementation = try implementation()
    let begin = ContinuousClock.now
    try await implementation.apply(desired)
    return .now - begin
  }

  func implementation() throws -> Implementation {
    try Implementation(
      ImplementationChoice.named("tgt"), settings: ["socket": file("socket")], on: place.host)
  }

  /// What `state.yaml` says.
  func desiredState() throws -> DesiredState {
    DesiredState(
      targets: try (1...targets).map { target in
        var spec = TargetSpec(name: try TargetName(name(target)))
        spec.initiators = [.all]
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

/// Who brings targets up.
enum Contestant: CaseIterable {
  case quartet, floor, loop, admin
}

extension PrivateTgtd {
  /// A tgtd without targets.
  func started() async throws -> Child {
    unlink(directory.appending("socket.0").string)
    let daemon = try Child(
      ["tgtd", "-f", "--iscsi", "portal=\(portal)"], environment: environment,
      output: directory.appending("tgtd.log").string)
    let question = try Implementation(
      ImplementationChoice.named("tgt"), settings: ["socket": directory.appending("socket").string], on: host)
    for _ in 0..<500 {
      if (try? await question.read()) != nil { return daemon }
      try await host.sleep(.milliseconds(10))
    }
    daemon.kill()
    throw Failure(.timedOut, "tgtd", "does not answer", remedy: "see \(directory)/tgtd.log")
  }
}
