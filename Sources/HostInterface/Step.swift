/// One operation of a plan with its inverse and its reason.
public struct Step: Sendable, Hashable {
  /// What is done.
  public var operation: Operation
  /// What undoes it, in order; empty when there is nothing to undo.
  public var undo: [Operation]
  /// Why, for `-v` and for errors, such as `add lun 1 of iqn.2011-12.com.example:disk1`.
  public var reason: String
  /// Whether to try again while the system says that the object is in use, and for how long.
  public var patience: Duration?

  /// A step.
  public init(_ operation: Operation, undo: [Operation] = [], reason: String, patience: Duration? = nil) {
    self.operation = operation
    self.undo = undo
    self.reason = reason
    self.patience = patience
  }
}

/// Steps that depend on one another, run in order.
public struct Chain: Sendable, Hashable {
  /// The object that the steps are about.
  public var subject: String
  /// The steps.
  public var steps: [Step]

  /// A chain.
  public init(subject: String, steps: [Step]) {
    self.subject = subject
    self.steps = steps
  }
}

/// Chains that do not depend on one another; all end before the next stage begins.
public struct Stage: Sendable, Hashable {
  /// What the stage is for.
  public var title: String
  /// The chains, which may run side by side.
  public var chains: [Chain]
  /// How many of them may run at once, where that is not as many as of other stages.
  public var width: Int?

  /// A stage.
  public init(title: String, chains: [Chain], width: Int? = nil) {
    self.title = title
    self.chains = chains
    self.width = width
  }
}

/// Stages in order.
public struct Plan: Sendable, Hashable {
  /// The stages.
  public var stages: [Stage]

  /// A plan.
  public init(stages: [Stage] = []) { self.stages = stages }

  /// All steps in an order in which they may run.
  public var steps: [Step] { stages.flatMap { $0.chains.flatMap(\.steps) } }

  /// Whether there is nothing to do.
  public var isEmpty: Bool { stages.allSatisfy { $0.chains.allSatisfy(\.steps.isEmpty) } }
}
