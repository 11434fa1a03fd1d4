import FoundationEssentials
import HostInterface

/// Reads what `drbdsetup status --json` prints on DRBD 9; 8.4 has no such option.
///
/// Source: drbd-utils 9.22, drbdsetup.c, resource_status_json() and those it calls. Sizes are in KiB.
enum StatusJSON {
  /// The resources of a document.
  ///
  /// - Throws: ``Failure`` with code `garbled` for what is no such document.
  static func parse(_ bytes: [UInt8]) throws -> [ResourceStatus] {
    do {
      return try JSONDecoder().decode([ResourceDocument].self, from: Data(bytes)).map { try $0.status }
    } catch let failure as Failure {
      throw failure
    } catch {
      throw Failure(
        .garbled, "drbdsetup status --json", "prints no status that is understood", answer: "\(error)")
    }
  }

  private struct ResourceDocument: Decodable {
    var name: String
    var role: String
    var userSuspended, dataSuspended, fencingSuspended, quorumSuspended: Bool?
    var devices: [DeviceDocument]
    var connections: [ConnectionDocument]

    enum CodingKeys: String, CodingKey {
      case name, role, devices, connections
      case userSuspended = "suspended-user"
      case dataSuspended = "suspended-no-data"
      case fencingSuspended = "suspended-fencing"
      case quorumSuspended = "suspended-quorum"
    }

    var status: ResourceStatus {
      get throws {
        var status = ResourceStatus(name: try ResourceName(name), role: try state(role, "role"))
        let reasons = [
          (userSuspended, "user"), (dataSuspended, "no-data"), (fencingSuspended, "fencing"),
          (quorumSuspended, "quorum"),
        ].filter { $0.0 == true }.map(\.1)
        if !reasons.isEmpty { status.suspended = reasons.joined(separator: ",") }
        status.volumes = try devices.map { device in
          ResourceStatus.Volume(
            number: device.volume, minor: device.minor, disk: try state(device.disk, "disk-state"),
            size: device.size.flatMap { $0 == 0 ? nil : $0.bytesOfKiB })
        }
        status.peers = try connections.map { try $0.peer }
        return status
      }
    }
  }

  private struct DeviceDocument: Decodable {
    var volume: UInt16
    var minor: UInt32
    var disk: String
    var size: UInt64?

    enum CodingKeys: String, CodingKey {
      case volume, minor, size
      case disk = "disk-state"
    }
  }

  private struct ConnectionDocument: Decodable {
    var node: UInt32
    var name: String
    var connection: String
    var role: String
    var devices: [PeerDeviceDocument]

    enum CodingKeys: String, CodingKey {
      case name
      case node = "peer-node-id"
      case connection = "connection-state"
      case role = "peer-role"
      case devices = "peer_devices"
    }

    var peer: ResourceStatus.Peer {
      get throws {
        ResourceStatus.Peer(
          name: name, node: node, connection: try state(connection, "connection-state"),
          role: try state(role, "peer-role"), volumes: try devices.map { try $0.volume })
      }
    }
  }

  private struct PeerDeviceDocument: Decodable {
    var number: UInt16
    var replication, disk: String
    var suspended: String?
    var received, sent, outOfSync: UInt64
    var done, rate, secondsLeft: Double?

    enum CodingKeys: String, CodingKey {
      case received, sent
      case number = "volume"
      case replication = "replication-state"
      case disk = "peer-disk-state"
      case suspended = "resync-suspended"
      case outOfSync = "out-of-sync"
      case done = "percent-resync-done"
      case rate = "db1/dt1 [MiB/s]"
      case secondsLeft = "estimated-seconds-to-finish"
    }

    var volume: ResourceStatus.PeerVolume {
      get throws {
        var volume = ResourceStatus.PeerVolume(
          number: number, replication: try state(replication, "replication-state"),
          disk: try state(disk, "peer-disk-state"), outOfSync: outOfSync.bytesOfKiB,
          paused: suspended.flatMap { $0 == "no" ? nil : $0 }, received: received.bytesOfKiB,
          sent: sent.bytesOfKiB)
        if let done, (0...100).contains(done) {
          volume.progress = ResourceStatus.Progress(
            fraction: done / 100, rate: rate.flatMap { UInt64(exactly: ($0 * 1_048_576).rounded()) },
            // 987654321 stands for "never" (drbdsetup.c).
            secondsLeft: secondsLeft.flatMap { $0 < 987_654_321 ? UInt64(exactly: $0.rounded()) : nil })
        }
        return volume
      }
    }
  }

  private static func state<State: RawRepresentable>(_ text: String, _ what: String) throws -> State
  where State.RawValue == String {
    guard let state = State(rawValue: text) else {
      throw Failure(
        .garbled, "drbdsetup status --json", "has \(what) \(shown(text)), which is not known")
    }
    return state
  }
}
