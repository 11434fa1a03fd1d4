/// `enum tgtadm_errno` of tgt's usr/tgtadm_error.h.
enum TgtadmError: UInt32, Error {
  case unknown = 1
  case noMemory, noDriver, noTarget, noLUN, noSession, noConnection, noBinding, targetExists, lunExists,
    bindingExists, ruleExists, noRule, userExists, noUser, tooManyUsers, invalidRequest, outgoingExists,
    targetActive, lunActive, driverActive, unsupportedOperation, unknownParameter, removalPrevented

  /// What tgtadm prints for it (`tgtadm_strerror` in usr/tgtadm.c).
  var text: String {
    switch self {
    case .unknown: "unknown error"
    case .noMemory: "out of memory"
    case .noDriver: "can't find the driver"
    case .noTarget: "can't find the target"
    case .noLUN: "can't find the logical unit"
    case .noSession: "can't find the session"
    case .noConnection: "can't find the connection"
    case .noBinding: "can't find the binding"
    case .targetExists: "this target already exists"
    case .bindingExists: "this binding already exists"
    case .lunExists: "this logical unit number already exists"
    case .ruleExists: "this access control rule already exists"
    case .noRule: "this access control rule does not exist"
    case .userExists: "this account already exists"
    case .noUser: "can't find the account"
    case .tooManyUsers: "too many accounts"
    case .invalidRequest: "invalid request"
    case .outgoingExists: "this target already has an outgoing account"
    case .targetActive: "this target is still active"
    case .lunActive: "this logical unit is still active"
    case .driverActive: "this driver is busy"
    case .unsupportedOperation: "this operation isn't supported"
    case .unknownParameter: "unknown parameter"
    case .removalPrevented: "this device has Prevent Removal set"
    }
  }
}

/// tgtd reads through a null pointer and is killed by a signal.
struct Crash: Error {}
