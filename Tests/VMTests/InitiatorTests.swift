import Testing
import VirtualMachine

/// Targets that Quartet made, as the kernel's own initiator sees them.
///
/// All of it runs in one guest, and one test after the other: they share the initiator's daemon and LIO.
@Suite(.serialized, .enabled(if: Guest.isHere, "needs a kernel of its own; VMTests run it in a guest"))
enum InitiatorTests {}
