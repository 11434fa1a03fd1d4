import LinuxHost
import Quartet
import TargetCore

// What stands behind `quartet target create ... --lun 1=/srv/disk1 --allow 192.168.0.0/24`, and a look at the result.
let tgt = try Implementation(ImplementationChoice.named("tgt"), on: LocalHost())

var disk = TargetSpec(name: try TargetName("iqn.2011-12.com.example:disk1"))
disk.units = [LogicalUnit(lun: try LUN(1), backing: try Backing(path: "/srv/disk1"))]
disk.initiators = [try Initiator("192.168.0.0/24")]

// Applying is idempotent: what is so already is left alone, and what was done is read back before this returns.
let done = try await tgt.apply(DesiredState(targets: [disk]))
for change in done.changes { print(change) }

for target in try await tgt.read().targets.values {
  print(target.name, target.units.count, "logical units,", target.sessions.count, "sessions")
}
