import HostInterface
import Quartet
import ReplicatedVolume

/// What `apply` and `diff` print of a stack.
extension Output {
  /// Prints what was done, or would be.
  ///
  /// What removes something was listed before it was done.
  static func print(_ report: StackReport, of stack: Stack, dryRun: Bool, json asJSON: Bool) {
    for warning in report.volumes.warnings + report.warnings { Report.warning(warning) }
    if asJSON {
      if !stack.volumes.isEmpty { json(StackDocument(report, dryRun: dryRun)) }
      for (name, proposal) in report.targets {
        json(ProposalDocument(proposal, dryRun: dryRun, implementation: name))
      }
      return
    }
    if dryRun {
      steps(report.volumes.plan)
      text(report.embedded.map { "# \($0)\n\($0.command)\n" }.joined())
      for (_, proposal) in report.targets { steps(proposal.plan) }
      if !report.later.isEmpty {
        // Comments, so that what is printed can still be run.
        text("# later, when what it needs is there:\n" + report.later.map { "#   \($0)\n" }.joined())
      }
      text(report.leftOut.map { "# left out: \($0)\n" }.joined())
    } else {
      text(report.volumes.changes.map { line($0) }.joined() + report.embedded.map { "+ \($0)\n" }.joined())
      for (_, proposal) in report.targets { list(proposal.changes.filter { !$0.removes }) }
      text(report.leftOut.map { "= left out: \($0)\n" }.joined())
    }
    if report.changes.isEmpty { Report.message("quartet: nothing to do") }
  }

  /// Prints what would be changed, one a line.
  static func list(_ report: StackReport) {
    text(report.volumes.changes.map { line($0) }.joined() + report.embedded.map { "+ \($0)\n" }.joined())
    for (_, proposal) in report.targets { list(proposal.changes) }
    text(report.later.map { "+ \($0)\n" }.joined() + report.leftOut.map { "= left out: \($0)\n" }.joined())
  }

  /// Prints a plan as an administrator would type it.
  static func steps(_ plan: Plan) {
    for stage in plan.stages {
      text("# \(stage.title)\n")
      for step in stage.chains.flatMap(\.steps) { text(step.operation.display + "\n") }
    }
  }

  private static func line(_ change: VolumeChange) -> String { "\(change.removes ? "-" : "+") \(change)\n" }
}

/// What `apply --json` prints of resources and pools; the names are stable, and may be added to.
struct StackDocument: Encodable {
  struct LeftOutDocument: Encodable {
    var subject, reason: String
  }
  var dryRun: Bool
  var changes: [String]
  var steps: [VolumeProposalDocument.StepDocument]
  var later: [String]
  var leftOut: [LeftOutDocument]
  var warnings: [String]

  init(_ report: StackReport, dryRun: Bool) {
    let volumes = VolumeProposalDocument(report.volumes, dryRun: dryRun)
    (self.dryRun, steps) = (dryRun, volumes.steps)
    changes = volumes.changes + report.embedded.map(\.description)
    later = report.later
    leftOut = report.leftOut.map { LeftOutDocument(subject: $0.subject, reason: $0.reason) }
    warnings = volumes.warnings + report.warnings
  }
}
