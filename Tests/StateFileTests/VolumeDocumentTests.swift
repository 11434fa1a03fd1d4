import HostInterface
import SystemPackage
import TargetCore
import Testing

@testable import ReplicatedVolume
@testable import StateFile

/// A document with everything that there is of resources and pools.
let stackDocument = """
  quartet: 1
  resources:
    - name: vg1
      protocol: C
      fencing: resource-and-stonith
      sharedSecret: {file: /etc/quartet/vg1.secret}
      skipFirstSync: true
      net: {verify-alg: crc32c, allow-two-primaries: no}
      disk: {resync-rate: 100M}
      handlers: {fence-peer: "/usr/lib/drbd/crm-fence-peer.sh --quiet"}
      nodes:
        - {name: mike, address: "192.168.43.111:7788"}
        - {name: nancy, address: "[fe80::1]:7788"}
      volumes:
        - {minor: 0, disk: /dev/sdc}
        - number: 4
          device: /dev/drbd7
          disk: /dev/sdd
          metaDisk: /dev/sde[2]
          nodes:
            nancy: {disk: null, minor: 8, metaDisk: internal}
  pools:
    - name: vg1
      devices: [/dev/drbd0, /dev/drbd7]
      extentSize: 8M
      volumes:
        - {name: lun1, size: 10G}
        - {name: lun2, extents: 25, type: linear}
        - {name: tp, size: 1048576, type: thin-pool}
        - {name: t1, size: 20G, thinPool: tp}

  """

@Suite struct VolumeDocumentTests {
  private func volumes(_ text: String) throws -> DesiredVolumes {
    try StateFile.parse(text, named: "state.yaml", secrets: KnownSecrets()).volumes
  }

  @Test func everyKeyArrivesInTheModel() throws {
    let volumes = try volumes(stackDocument)
    let spec = try #require(volumes.resources.first)
    let resource = spec.resource
    #expect(spec.skipFirstSync && resource.problems == [])
    #expect(resource.replication == .synchronous && resource.fencing == .resourceAndStonith)
    #expect(resource.sharedSecret?.count == 18)
    #expect(
      resource.settings == [
        .net: ["verify-alg": "crc32c", "allow-two-primaries": "no"], .disk: ["resync-rate": "100M"],
        .handlers: ["fence-peer": "/usr/lib/drbd/crm-fence-peer.sh --quiet"],
      ])
    #expect(resource.nodes.map(\.address.description) == ["192.168.43.111:7788", "[fe80::1]:7788"])
    let (mike, nancy) = (resource.nodes[0].volumes, resource.nodes[1].volumes)
    #expect(mike[0] == nancy[0] && mike[0].disk?.description == "/dev/sdc" && mike[0].metadata == .inside)
    #expect(mike[1].number == 4 && mike[1].minor == 7 && mike[1].metadata.description == "/dev/sde[2]")
    #expect(nancy[1].number == 4 && nancy[1].minor == 8 && nancy[1].device.description == "/dev/drbd8")
    #expect(nancy[1].disk == nil && nancy[1].metadata == .inside)
    let pool = try #require(volumes.pools.first)
    #expect(pool.extentSize == 8 << 20 && pool.devices.map(\.description) == ["/dev/drbd0", "/dev/drbd7"])
    #expect(pool.volumes.map(\.size) == [.bytes(10 << 30), .extents(25), .bytes(1 << 20), .bytes(20 << 30)])
    #expect(pool.volumes.map(\.kind) == [.linear, .linear, .thinPool, .thin(try VolumeName("tp"))])
  }

  @Test(arguments: [
    ("protocol: C", "protocl: C", "state.yaml:4:5: resource 1 of the list: has key protocl"),
    (
      "protocol: C", "protocol: C\n    protocol: C",
      "state.yaml:5:5: the document: has the key protocol twice"
    ),
    ("name: nancy", "name: mike", "has node mike twice"),
    ("nancy: {disk", "fred: {disk", "names fred, which is no node of it"),
    ("device: /dev/drbd7", "device: /dev/seven", "does not tell its minor"),
    ("minor: 0", "minor: 7", "uses minor 7 twice on mike"),
    ("extentSize: 8M", "extentSize: 9M", "they are a power of 2"),
    ("name: lun2", "name: lun1", "has volume lun1 twice"),
    ("thinPool: tp", "thinPool: lun1", "in lun1, which is no thin pool"),
    ("verify-alg: crc32c", "protocol: A", "it has a place of its own"),
    ("name: t1", "name: pvmove1", "which LVM keeps for its own volumes"),
    ("{file: /etc/quartet/vg1.secret}", "abcdef", "must not stand in the state file"),
    (
      "  - name: vg1\n    devices", "  - {name: vg1, devices: [/dev/a]}\n  - name: vg1\n    devices",
      "is there twice"
    ),
  ])
  func faultsAreToldWithTheirPlace(good: String, bad: String, says text: String) throws {
    let found = complaints(stackDocument.replacing(good, with: bad, maxReplacements: 1))
    #expect(found.contains { $0.contains(text) }, "\(found)")
    #expect(found.allSatisfy { $0.hasPrefix("state.yaml:") }, "\(found)")
  }

  private static let embedded = """
    quartet: 1
    pools:
      - name: demo
        legs: [/srv/a, "nbd://host/b"]
        size: 10G
        sparse: true
        extentSize: 1M
        resyncRate: 50M
        volumes: [{name: lun1, size: 4G}, {name: lun2, extents: 7}]
    targets:
      - name: iqn.2011-12.com.example:a
        luns: [{lun: 1, volume: demo/lun1}, {lun: 2, volume: vg1/lun1}]

    """

  @Test func aPoolWithLegsIsAnEmbeddedOne() throws {
    let parsed = try StateFile.parse(Self.embedded, named: "state.yaml", secrets: KnownSecrets())
    let spec = try #require(parsed.volumes.embeddedPools.first)
    #expect(parsed.volumes.pools == [] && !parsed.volumes.isEmpty)
    #expect(spec.legs.map(\.description) == ["/srv/a", "nbd://host/b"] && spec.size == 10 << 30)
    #expect(spec.sparse && spec.resyncRate == ResyncRate(limit: 50 << 20))
    #expect(spec.extentSize == 1 << 20 && spec.volumes.map(\.size) == [.bytes(4 << 30), .extents(7)])
    // Its volumes are where they are attached, though nothing of it is there yet.
    let units = try #require(parsed.state.targets.first?.units)
    #expect(
      try units.map(\.backing) == [
        Backing(path: PoolPlaces.usual.volume(VolumePath("demo/lun1")).string),
        Backing(path: "/dev/vg1/lun1"),
      ])
    let text = StateFile.render(
      LiveState(), implementation: "tgt", embedded: [spec], leftOut: ["pool x: is gone"])
    #expect(
      try volumes(text).embeddedPools == [spec] && text.contains("Left out: pool x: is gone"), "\(text)")
  }

  @Test func aRateIsOneOfThree() throws {
    let named = ["resyncRate: 50M", "resyncRate: none", "sparse: false"].map {
      Self.embedded.replacing("resyncRate: 50M", with: $0).replacing("sparse: true\n    ", with: "")
    }
    let specs = try named.map { try #require(try volumes($0).embeddedPools.first) }
    #expect(specs.map(\.resyncRate) == [ResyncRate(limit: 50 << 20), ResyncRate(limit: nil), nil])
    for spec in specs {
      #expect(!spec.sparse)
      let text = StateFile.render(LiveState(), implementation: "tgt", embedded: [spec])
      #expect(try volumes(text).embeddedPools == [spec], "\(text)")
    }
  }

  @Test func theCommandsOfAPoolSayAllOfIt() throws {
    let spec = try #require(try volumes(Self.embedded).embeddedPools.first)
    #expect(
      EmbeddedPoolChange.createPool(spec).command
        == "quartet pool create demo --leg /srv/a --leg nbd://host/b --size 10737418240 --sparse --extent-size 1048576"
    )
    let rates = [ResyncRate(limit: 7), ResyncRate(limit: nil)]
    let changes = rates.map { EmbeddedPoolChange.setResyncRate(spec.name, $0) }
    #expect(changes.map(\.command) == ["7", "none"].map { "quartet pool set demo --resync-rate \($0)" })
  }

  @Test(arguments: [
    ("size: 10G", "devices: [/dev/a]", "has devices and legs"),
    ("legs: [/srv/a, \"nbd://host/b\"]", "devices: [/dev/a]", "has size, which is for legs"),
    ("legs: [/srv/a, \"nbd://host/b\"]", "devices: [/dev/a]", "has sparse, which is for legs"),
    ("legs: [/srv/a, \"nbd://host/b\"]", "devices: [/dev/a]", "has resyncRate, which is for legs"),
    (", \"nbd://host/b\"]", "]", "has one leg, and so no resync"),
    ("sparse: true", "sparse: \"true\"", "must be true or false"),
    (
      "resyncRate: 50M", "resyncRate: fast",
      "fast\": is no positive number of bytes; write it like 50M"
    ),
    ("resyncRate: 50M", "resyncRate: 0", "is no positive number of bytes"),
    ("resyncRate: 50M", "resyncRate: null", "must be text"),
    ("sparse: true", "wipe: true", "has key wipe that is not known"),
    ("legs: [/srv/a, \"nbd://host/b\"]\n", "\n", "has no devices and no legs"),
    ("nbd://host/b", "/srv/a", "has a leg twice"),
    ("nbd://host/b", "nbd://me:secret@host/b", "with a password"),
    ("nbd://host/b", "b", "neither an absolute path nor an NBD URI"),
    ("extentSize: 1M", "extentSize: 3M", "they are a power of 2 from 64 KiB to 1 GiB"),
    ("name: lun2", "name: lun1", "has volume lun1 twice"),
    ("extents: 7", "extents: 7, type: thin-pool", "no embedded pool has thin ones"),
  ])
  func faultsOfEmbeddedPoolsAreTold(good: String, bad: String, says text: String) throws {
    let found = complaints(Self.embedded.replacing(good, with: bad, maxReplacements: 1))
    #expect(found.contains { $0.contains(text) }, "\(found)")
  }

  /// What is written of any state is what is: it parses, and nothing would be changed.
  @Test(arguments: 0..<200) func whatIsWrittenIsWhatIs(seed: Int) throws {
    var random = RandomVolumes(generator: SeededGenerator(state: UInt64(seed)))
    let state = try random.state()
    let text = StateFile.render(LiveState(), implementation: "tgt", volumes: state)
    let volumes = try volumes(text)
    #expect(volumes.resources.map(\.resource) == state.files.map(\.resource), "\(text)")
    #expect(volumes.pools.map(\.name.description) == state.pools?.pools.map(\.name), "\(text)")
    let reconciler = VolumeReconciler(state)
    for spec in volumes.pools { #expect(try reconciler.changes(to: spec) == [], "\(text)") }
    #expect(!text.contains("Left out"))
  }
}

/// Resources and pools by chance.
private struct RandomVolumes {
  var generator: SeededGenerator

  mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }

  mutating func state() throws -> VolumeState {
    var state = VolumeState(
      node: try NodeName("mike"), generation: .eight, files: [], running: [], splitBrain: [],
      pools: PoolState(), unfiltered: [:])
    for index in 0..<number(0...3) {
      let found = FoundResource(
        resource: try resource(index), file: FilePath("/etc/drbd.d/r\(index).res"), foreign: [], isOurs: true)
      state.files.append(found)
    }
    for index in 0..<number(0...2) { state.pools?.pools.append(pool(index)) }
    return state
  }

  private mutating func resource(_ index: Int) throws -> Resource {
    var volumes: [Resource.Volume] = []
    for place in 0..<number(1...3) {
      var volume = try Resource.Volume(
        number: UInt16(place * 3), minor: UInt32(index * 10 + place), disk: DevicePath("/dev/sd\(place)"))
      if number(0...2) == 0 { volume.device = try DevicePath("/dev/drbd_r\(index).\(place)") }
      volumes.append(try changed(volume))
    }
    var other = volumes
    for place in other.indices where number(0...1) == 0 { other[place] = try changed(other[place]) }
    var resource = Resource(
      name: try ResourceName("r\(index)"),
      nodes: [
        .init(name: try NodeName("mike"), address: try .init("10.0.0.1:\(7788 + index)"), volumes: volumes),
        .init(name: try NodeName("nancy"), address: try .init("[fe80::2]:\(7788 + index)"), volumes: other),
      ])
    resource.replication = [nil, .synchronous, .asynchronous][number(0...2)]
    resource.fencing = [nil, Resource.Fencing.none, .resourceOnly][number(0...2)]
    for section in Resource.Section.allCases where number(0...1) == 0 {
      resource.settings[section] = [
        "a-\(number(0...9))": ["yes", "0123", "a \"b\" \\ #c", "", "null"][number(0...4)]
      ]
    }
    return resource
  }

  private mutating func changed(_ volume: Resource.Volume) throws -> Resource.Volume {
    var volume = volume
    switch number(0...5) {
    case 0: volume.disk = nil
    case 1: volume.metadata = .device(try DevicePath("/dev/meta\(volume.number)"))
    case 2: volume.metadata = .slot(try DevicePath("/dev/meta"), volume.number)
    case 3:
      volume.minor += 500
      volume.device = try DevicePath("/dev/drbd\(volume.minor)")
    case 4: volume.device = try DevicePath("/dev/drbd/by-chance/\(volume.number)")
    default: break
    }
    return volume
  }

  private mutating func pool(_ index: Int) -> Pool {
    let extentSize = UInt64(1) << UInt64(number(12...26))
    let devices = (0...number(0...1)).map { place in
      PhysicalVolume(
        uuid: "u\(place)", device: "/dev/p\(index)\(place)", deviceSize: 1 << 40, extents: 1000, allocated: 0,
        isMissing: false)
    }
    var pool = Pool(
      name: "vg\(index)", extentSize: extentSize, extents: 1000, free: 1000, devices: devices, volumes: [],
      map: [])
    for place in 0..<number(0...4) {
      let kind = number(0...2)
      pool.volumes.append(
        Pool.Volume(
          uuid: "v\(place)", name: kind == 0 ? "tp\(place)" : "v\(place)",
          size: UInt64(number(1...500)) * extentSize,
          layout: ["thin,pool", "linear", "thin,sparse"][kind], isHidden: false, isActive: true,
          isOpen: false,
          thinPool: kind == 2 ? "tp9" : nil))
    }
    return pool
  }
}
