import HostInterface
import SystemPackage
import Testing

@Suite struct FailureTests {
  @Test(
    arguments: [
      (.noSuchFileOrDirectory, .notFound), (.fileExists, .exists), (.resourceBusy, .inUse),
      (.permissionDenied, .permission),
      (.notPermitted, .permission), (.readOnlyFileSystem, .permission), (.connectionRefused, .unavailable),
      (.timedOut, .timedOut), (.interrupted, .interrupted), (.invalidArgument, .refused),
      (.noSpace, .refused),
    ] as [(Errno, Failure.Code)])
  func theCodeFollowsFromTheErrorNumber(_ number: Errno, _ code: Failure.Code) {
    #expect(Failure.system(number, "/x", "cannot write").code == code)
  }

  @Test func oneLineTellsAll() {
    let failure = Failure.system(.permissionDenied, "/x", "cannot write")
    #expect(failure.description == "/x: cannot write: Permission denied (errno 13); run it as root")
    #expect(Failure.system(.readOnlyFileSystem, "/x", "cannot write").remedy == nil)
    #expect(Failure(.invalid, "lun 1", "is bad", answer: "").description == "lun 1: is bad")
  }
}
