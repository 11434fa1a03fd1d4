import HostInterface
import SystemPackage
import Testing

@testable import ReplicatedVolume

@Suite struct ResourceFileTests {
  static func resource(_ change: (inout Resource) throws -> Void = { _ in }) throws -> Resource {
    var nodes: [Resource.Node] = []
    for (number, name) in ["mike", "nancy"].enumerated() {
      let address = try #require(IPAddress("192.168.43.11\(number + 1)"))
      nodes.append(
        Resource.Node(
          name: try NodeName(name), address: .init(address, port: 7788),
          volumes: [try Resource.Volume(minor: 0, disk: DevicePath("/dev/vda"))]))
    }
    var resource = Resource(name: try ResourceName("vg1"), nodes: nodes)
    try change(&resource)
    return resource
  }

  @Test func theArticlesFileIsRead() throws {
    let found = try ResourceFile.parse(xml: Array(Recorded.output("DRBD/lifecycle", 10).utf8))
    #expect(found.count == 1)
    #expect(found.first?.resource == (try Self.resource()))
    #expect(found.first?.file == "/etc/drbd.d/vg1.res" && found.first?.foreign == [])
  }

  @Test func eightAndNineHaveTheirOwnGrammars() throws {
    let resource = try Self.resource {
      $0.fencing = .resourceOnly
      $0.replication = .synchronous
      $0.sharedSecret = Secret("a\"b\\c".utf8)
      $0.settings[.handlers] = ["fence-peer": "/usr/lib/drbd/crm-fence-peer.sh --a 'b' \"c\""]
    }
    let eight = ResourceFile.text(resource, for: .eight)
    #expect(
      eight.display == """
        # written by quartet: it is replaced as a whole, keep notes elsewhere
        resource vg1 {
          disk {
            fencing resource-only;
          }
          handlers {
            fence-peer "/usr/lib/drbd/crm-fence-peer.sh --a 'b' \\"c\\"";
          }
          net {
            protocol C;
            shared-secret "****";
          }
          on mike {
            address ipv4 192.168.43.111:7788;
            volume 0 {
              device /dev/drbd0 minor 0;
              disk /dev/vda;
              meta-disk internal;
            }
          }
          on nancy {
            address ipv4 192.168.43.112:7788;
            volume 0 {
              device /dev/drbd0 minor 0;
              disk /dev/vda;
              meta-disk internal;
            }
          }
        }

        """)
    #expect(try eight.string([:]).contains(#"shared-secret "a\"b\\c";"#))
    let nine = ResourceFile.text(resource, for: .nine).display
    #expect(nine.contains("  on nancy {\n    node-id 1;\n") && !nine.contains("disk {\n    fencing"))
    #expect(nine.contains("    fencing resource-only;\n"))
  }

  @Test func theWholeOfADocumentIsRead() throws {
    let xml = """
      <config file="/etc/drbd.conf">
          <common>
              <section name="net"><option name="protocol" value="A"/></section>
          </common>
          <resource name="vg1" conf-file-line="/tmp/r:3.res:12">
              <!-- > a comment with </resource> in it -->
              <host name="mike">
                  <volume vnr="1">
                      <device minor="17">/dev/drbd_r0</device><disk>/dev/vdb</disk>
                      <meta-disk index="3">/dev/vdc</meta-disk>
                  </volume>
                  <volume vnr="2"><device minor="18"/><disk>none</disk><meta-disk>/dev/vdd</meta-disk></volume>
                  <address family="ipv6" port="7789">fd00::1%eth0</address>
              </host>
              <section name="net">
                  <option name="shared-secret" value="a&quot;b&lt;&amp;&gt;"/><option name="verify-alg" value="crc32c"/>
                  <option name="fencing" value="resource-and-stonith"/><option name="protocol" value="b"/>
                  <option name="allow-two-primaries"/>
              </section>
              <section name="handlers"><option name="x" value="it&apos;s"/></section>
              <section name="proxy"/>
              <connection><section name="net"><option name="ping-int" value="3"/></section></connection>
          </resource>
      </config>
      """
    let found = try #require(try ResourceFile.parse(xml: Array(xml.utf8)).first)
    #expect(found.file == "/tmp/r:3.res")
    #expect(found.foreign == ["options of connections", "a section \"proxy\""])
    let resource = found.resource
    #expect(resource.replication == .memorySynchronous && resource.fencing == .resourceAndStonith)
    #expect(resource.sharedSecret == Secret("a\"b<&>".utf8))
    #expect(resource.settings[.net] == ["verify-alg": "crc32c", "allow-two-primaries": "yes"])
    #expect(resource.settings[.handlers] == ["x": "it's"])
    let node = try #require(resource.nodes.first)
    #expect(node.address.description == "[fd00::1%eth0]:7789")
    #expect(
      node.volumes.map(\.metadata) == [
        .slot(try DevicePath("/dev/vdc"), 3), .device(try DevicePath("/dev/vdd")),
      ])
    #expect(node.volumes.map(\.disk) == [try DevicePath("/dev/vdb"), nil])
    #expect(node.volumes.map(\.device.description) == ["/dev/drbd_r0", "/dev/drbd18"])
  }

  @Test(arguments: [
    "<a", "<a>", "<a></b>", "</a>", "<a b=c/>", "<a b=\"1\" b=\"2\"/>", "<a>&nbsp;</a>", "text",
    "<!DOCTYPE x>",
    "<?xml version=\"1.0\"?>", "<!-- open", "<a b=\"", "<resource/>",
    "<resource name=\"vg1\"><host floating=\"1\"/></resource>",
    "<resource name=\"vg1\"><host name=\"a b\"/></resource>",
    "<resource name=\"vg1\"><host name=\"a\"/></resource>",
  ])
  func whatIsNoSuchDocumentIsRefused(_ xml: String) {
    #expect(throws: Failure.self) { try ResourceFile.parse(xml: Array(xml.utf8)) }
  }

  @Test func depthIsBoundedAndNoPrefixTraps() throws {
    let deep = String(repeating: "<a>", count: 100_000)
    #expect(throws: Failure.self) { try ResourceFile.parse(xml: Array(deep.utf8)) }
    let xml = Array(try Recorded.output("DRBD/lifecycle", 10).utf8)
    for length in 0..<xml.count { _ = try? ResourceFile.parse(xml: Array(xml.prefix(length))) }
  }

  @Test func whatCannotBeWrittenIsListed() throws {
    let broken = try Self.resource {
      $0.nodes[1].name = $0.nodes[0].name
      $0.nodes[1].address = $0.nodes[0].address
      $0.nodes[0].volumes.append(try Resource.Volume(number: 1, minor: 0, disk: DevicePath("/dev/vda")))
      $0.sharedSecret = Secret([])
      $0.settings[.net] = ["protocol": "C", "ping-int": "1\n}"]
      $0.settings[.disk] = ["Bad Name": "x"]
    }
    #expect(
      broken.problems == [
        "has node mike twice", "uses 192.168.43.111:7788 on two nodes", "uses minor 0 twice on mike",
        "uses disk /dev/vda twice on mike", "has other volumes on one node than on another",
        "has a shared secret of 0 bytes, 1 to 63 are allowed",
        "has option \"Bad Name\" in disk, which is no option's name",
        "has a value of ping-int in net with a control character or over 200 bytes",
        "has protocol among its other options, it has a place of its own",
      ])
    #expect(try Self.resource().problems.isEmpty)
    #expect(
      Resource(name: try ResourceName("a"), nodes: []).problems == ["has 0 nodes, at least 2 are needed"])
  }

  @Test(arguments: ["", "all", "-a", "a b", "a/b", "a\n", "ä", "a;b", String(repeating: "x", count: 65)])
  func namesThatWouldBeSyntaxAreRefused(_ name: String) {
    #expect(throws: Failure.self) { try ResourceName(name) }
  }

  @Test func pathsAndVolumesAreChecked() throws {
    for path in [
      "", "/", "dev/vda", "/dev/../etc", "/dev/a b", "/dev/a\"b", "/" + String(repeating: "x", count: 128),
    ] {
      #expect(throws: Failure.self) { try DevicePath(path) }
    }
    for name in ["vg1", "vg1/", "/lun1", "vg1/lun1/x", "vg1/snapshot1", "vg1/a_tdata", "vg1/..", "-a/b"] {
      #expect(throws: Failure.self) { try VolumePath(name) }
    }
    #expect(try VolumePath("vg1/lun1").device == "/dev/vg1/lun1")
  }
}
