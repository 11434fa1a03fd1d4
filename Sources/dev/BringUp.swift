import Glibc
import HostInterface
import LinuxHost
import Quartet
import SystemPackage
import TargetCore

/// So many targets with so many logical units each, in the words of each contestant.
struct BringUp {
  let place: PrivateTgtd
  let exports: Exports

  init(place: PrivateTgtd, targets: Int, luns: Int) {
    self.place = place
    exports = Exports(directory: place.directory, targets: targets, luns: luns)
  }

  /// Requests to tgtd that make them: each target and its access, two for each logical unit.
  var operations: Int { exports.targets * (2 + 2 * exports.luns) }
  var description: String { exports.description }

  /// Makes the backing files and each contestant's input.
  func prepare() throws {
    try exports.makeBackings(on: place.host)
    var loop = "set -e\n"
    var admin = ""
    for target in 1...exports.targets {
      loop +=
        "tgtadm --lld iscsi --mode target --op new --tid \(target) --targetname \(exports.name(target))\n"
      admin += "<target \(exports.name(target))>\n"
      for lun in 1...exports.luns {
        let path = exports.backing(target, lun)
        let id = exports.identity(target, lun)
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
    for (file, text) in [("state.yaml", exports.document), ("loop.sh", loop), ("targets.conf", admin)] {
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
        program.appending("bench-floor").string, "tgt", file("socket.0"), place.directory.string,
        "\(exports.targets)",
        "\(exports.luns)",
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
    guard made.count == exports.targets, made.allSatisfy({ $0.units.count == exports.luns }) else {
      throw Failure(.notTaken, "\(contestant)", "made \(made.count) targets, not \(description)")
    }
    return usage
  }

  /// The same by the library, in this process.
  func measureLibrary() async throws -> Duration {
    let daemon = try await place.started()
    defer { daemon.kill() }
    let desired = try exports.desiredState()
    let implementation = try implementation()
    let begin = ContinuousClock.now
    try await implementation.apply(desired)
    return .now - begin
  }

  func implementation() throws -> Implementation {
    try Implementation(
      ImplementationChoice.named("tgt"), settings: ["socket": file("socket")], on: place.host)
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
