import HostInterface
import StateFile
import TargetCore

/// A resolver of secrets without files: what is asked for, by its name.
struct KnownSecrets: SecretResolver {
  static let canary = "canary-secret-1234"

  func secret(from source: SecretSource) throws -> FetchedSecret {
    switch source {
    case .file(let path) where path.hasSuffix("/missing.secret"):
      throw Failure(.notFound, "file \(path)", "does not exist")
    case .file(let path) where path.hasSuffix("/open.secret"):
      FetchedSecret(Secret(Self.canary.utf8), warning: "file \(path) can be read by others")
    case .file(let path) where path.hasSuffix("/short.secret"): FetchedSecret(Secret("short".utf8))
    case .file(let path) where path.hasSuffix("/blank.secret"):
      FetchedSecret(Secret("\(Self.canary) \(Self.canary)".utf8))
    default: FetchedSecret(Secret(Self.canary.utf8))
    }
  }
}

func parsed(_ text: String) throws -> DesiredState {
  try StateFile.parse(text, named: "state.yaml", secrets: KnownSecrets()).state
}

/// The lines of what is wrong with a document; empty when nothing is.
func complaints(_ text: String) -> [String] { complaints(Array(text.utf8)) }

func complaints(_ bytes: [UInt8]) -> [String] {
  do {
    _ = try StateFile.parse(bytes, named: "state.yaml", secrets: KnownSecrets())
    return []
  } catch let failure as Failure {
    let lines = failure.description.split(separator: "\n").map(String.init)
    return lines.count == 1 ? lines : Array(lines.dropFirst())
  } catch {
    return ["not a Failure: \(error)"]
  }
}

/// A document with everything that there is.
let fullDocument = """
  quartet: 1
  discovery:
    incoming: [{user: finder, secret: {credential: finder}}]
  targets:
    - name: iqn.2011-12.com.example:disk1
      implementation: lio
      id: 7
      enabled: false
      portals: ["192.168.0.100:3260", "[fe80::1]:3260", "10.0.0.1,iser"]
      initiators: [iqn.2011-12.com.example:ini1, 192.168.0.17/24]
      chap:
        incoming:
          - {user: jack, secret: {file: /etc/quartet/jack.secret}}
          - {user: jill, secret: {descriptor: 3}}
        outgoing: {user: disk1, secret: {credential: disk1}}
      parameters: {DefaultTime2Wait: 5, InitialR2T: Yes, HeaderDigest: "crc32c, none", ImmediateData: off}
      attributes: {demo_mode_discovery: 0, cmdsn_depth: "64"}
      luns:
        - {lun: 1, path: /dev/vg1/lun1, serial: 8ac9b2e1, scsiID: vg1-lun1, readOnly: false, cache: through}
        - lun: 2
          path: null
          store: rdwr
          deviceType: cd
          blockSize: 2048
          thin: yes
          removable: true
          online: False
          serial: 0123
          vendor: QUARTET
          product: VIRTUAL CD
          revision: 1.0
          initiators: [iqn.2011-12.com.example:ini1]
          attributes: {bsoflags: direct}
    - name: EUI.0123456789ABCDEF
      initiators: all
      chap: {outgoing: null}
      luns: []

  """
