import HostInterface
import IETSimulator
import LIOSimulator
import Quartet
import SCSTSimulator
import STGTSimulator
import Simulation
import SystemPackage
import TargetCore

/// One simulated machine on which all four implementations run, and export nothing.
struct FourTargets {
  static let names = ["iet", "tgt", "lio", "scst"]
  static let pairs = names.flatMap { from in names.filter { $0 != from }.map { (from, $0) } }

  let iet: SimulatedIET
  let tgt = SimulatedTgtd()
  let lio = SimulatedLIO()
  let scst = SimulatedSCST()
  let host: SimulatedHost

  init(iet: SimulatedIET = SimulatedIET()) {
    self.iet = iet
    host = SimulatedHost(services: [iet, tgt, lio, scst])
    host.addDirectory("/sys/devices/system/node/node0")
    host.addDirectory("/var/target/pr")
    host.addDirectory("/run/quartet")
    for program in ["mkdir", "sync"] { host.install(program: program) }
    host.addFile("/srv/disk1", size: 64 << 20)
    host.addFile("/srv/disk2", size: 32 << 20)
    host.addBlockDevice("/dev/vg1/a", size: 16 << 20)
  }

  func implementation(_ name: String, on other: (any Host)? = nil) throws -> Implementation {
    try Implementation(ImplementationChoice.named(name), on: other ?? host)
  }

  func read(_ name: String) async throws -> LiveState {
    try await implementation(name).read(ReadDetail(parameters: .all, shared: true))
  }
}
