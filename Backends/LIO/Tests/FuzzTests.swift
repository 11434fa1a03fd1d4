import HostInterface
import TargetBackendTesting
import TargetCore
import Testing

@testable import LIOBackend

/// Texts of the kernel and of targetcli that were good once, changed in a few places: none may end the program.
@Suite struct FuzzTests {
  private static let words = [
    "\n", "\t", " ", "0x", "18446744073709551615", "-1", "99999999999999999999", "1e999", "[", "]", "{", "}",
    "\"",
    "\\u", "\\ud800", ",", ":", "null", "true", "SPC-3", "CID:", "Address", "\u{0}", "é", "[[[[[[[[[[[[", "/",
  ]
  private static let saved = """
    {"storage_objects": [{"name": "disk1", "plugin": "fileio", "dev": "/srv/disk1", "size": 67108864, "write_back":
    false, "wwn": "c0ffee01", "attributes": {"emulate_tpu": 1}}, {"name": "b", "plugin": "block", "dev": "/dev/vg1/a",
    "readonly": true}], "targets": [{"fabric": "iscsi", "wwn": "iqn.2011-12.com.example:disk1", "tpgs": [{"tag": 1,
    "enable": true, "attributes": {"authentication": 1}, "parameters": {"MaxBurstLength": "262144"}, "portals":
    [{"ip_address": "0.0.0.0", "port": 3260, "iser": false}], "luns": [{"index": 1, "storage_object":
    "/backstores/fileio/disk1"}], "node_acls": [{"node_wwn": "iqn.1993-08.org.debian:01:web", "mapped_luns": [{"index":
    1, "tpg_lun": 1, "write_protect": false}], "chap_userid": "jack", "chap_password": "secret-of-jack"}]}]}]}
    """
  private static let session = """
    InitiatorName: iqn.1993-08.org.debian:01:web
    InitiatorAlias: web
    LIO Session ID: 1   ISID: 0x00 02 3d 00 00 00  TSIH: 1  SessionType: Normal
    Session State: TARG_SESS_STATE_LOGGED_IN
    ---------------------[iSCSI Connections]-------------------------
    CID: 0  Connection State: TARG_CONN_STATE_LOGGED_IN
       Address 127.0.0.1 TCP  StatSN: 0x12345678

    """
  private static let information = """
    Status: ACTIVATED  Max Queue Depth: 128  SectorSize: 512  HwMaxSectors: 16384
            TCM FILEIO ID: 0        File: /srv/disk1  Size: 67108864  Mode: O_DSYNC Async: 0

    """

  @Test func filesOfTargetcliEndInAStateOrAFailure() throws {
    var generator = SeededGenerator.chosen
    let format = try #require(BackendDescriptor.lio.formats["saveconfig"])
    var outcomes: [Bool: Int] = [:]
    for _ in 0..<SeededGenerator.rounds(4000) {
      let text = String(decoding: generator.damaged(Self.saved, with: Self.words), as: UTF8.self)
      do {
        _ = try format.read(text)
        outcomes[true, default: 0] += 1
      } catch let failure as Failure {
        #expect(failure.code == .invalid && !failure.description.contains("secret-of-jack"), "\(failure)")
        outcomes[false, default: 0] += 1
      }
    }
    #expect((outcomes[true] ?? 0) > 100 && (outcomes[false] ?? 0) > 100)
  }

  @Test func textsOfTheKernelNeverTrap() throws {
    var generator = SeededGenerator.chosen
    var sessions = 0
    for _ in 0..<SeededGenerator.rounds(4000) {
      let text = String(decoding: generator.damaged(Self.session, with: Self.words), as: UTF8.self)
      if LIOSession.parse(text) != nil { sessions += 1 }
      let info = LIOInfo(
        String(decoding: generator.damaged(Self.information, with: Self.words), as: UTF8.self))
      var unit = LogicalUnit(lun: try LUN(1), backing: .none)
      for plugin in ["fileio", "iblock", "rd_mcp", "user", "pscsi"] { info.fill(&unit, plugin) }
    }
    #expect(sessions > 1000)
  }
}
