import HostInterface
import TargetCore

/// Edits of the access files, each atomic and undone by another.
extension IETPlanner {
  private func path(_ kind: AccessFile.Kind) -> Text {
    Text(state.facts[IETFact.path(kind)] ?? "/etc/iet/\(kind.rawValue)")
  }

  /// Puts a line first; undone by the line that was there before, or by taking it away where none was.
  ///
  /// A file that is made for it says for the other targets what its absence said.
  ///
  /// - Throws: ``HostInterface/Failure`` when ietd would not read a line of that length.
  func first(_ line: String, insteadOf others: [String], in kind: AccessFile.Kind, undo old: String) throws
    -> Step
  {
    guard line.utf8.count < AccessFile.lineLimit else {
      throw Failure(
        .unsupported, reason,
        "needs a line of \(line.utf8.count) bytes in \(kind.rawValue), of which ietd reads \(AccessFile.lineLimit - 1)",
        remedy: "name networks instead of single addresses")
    }
    let others = Set(others.filter { !$0.isEmpty && $0 != line }).sorted()
    let undo: [LineEdit] = old == line ? [] : old.isEmpty ? [.remove(line)] : [.first(old, insteadOf: [line])]
    return Step(
      .editLines(
        path: path(kind),
        edit: .first(
          line, insteadOf: others, above: state.facts[IETFact.isOpen(kind)].map { _ in AccessState.everyone })
      ),
      undo: undo.map { .editLines(path: path(kind), edit: $0) }, reason: reason)
  }

  /// Takes every line away that begins with a word; undone by the one that stood first.
  func removal(about word: String, in kind: AccessFile.Kind, undo line: String?) -> Step {
    Step(
      .editLines(path: path(kind), edit: .removeAll(about: word)),
      undo: line.map { [.editLines(path: path(kind), edit: .first($0, insteadOf: []))] } ?? [], reason: reason
    )
  }
}
