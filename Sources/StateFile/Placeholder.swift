import HostInterface
import TargetCore
public enum SecretSource: Sendable { case file(String), credential(String), descriptor(Int32) }
public struct FetchedSecret { public var secret: Secret; public var warning: String? }
public struct HostSecrets { public init(files: any HostFiles) {}; public func secret(from: SecretSource) throws -> FetchedSecret { guard case .file = from else { throw Failure(.invalid, "x","y") }; return FetchedSecret(secret: Secret(Array("secretsecret12".utf8)), warning: nil) } }
public struct ParsedState { public var state: DesiredState; public var warnings: [String] }
public enum StateFile { public static let sizeLimit = 4 << 20; public static func parse(_ b: [UInt8], named: String, secrets: HostSecrets) throws -> ParsedState { ParsedState(state: DesiredState(), warnings: []) }
 public static func render(_ s: LiveState, implementation: String) -> String { "" } ; public static let schema = "" }
