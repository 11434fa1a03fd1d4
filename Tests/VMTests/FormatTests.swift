import GuestProtocol
import HostInterface
import Testing

@testable import VirtualMachine

/// The formats that the harness reads and writes itself.
struct FormatTests {
  @Test func messagesArriveWholeHoweverTheyAreCut() throws {
    let frames = [
      Frame(.ready), Frame(.output, command: 7, payload: [1, 2, 3]),
      Frame(.exited, command: .max, payload: UInt32(300).littleEndianBytes),
    ]
    let bytes = frames.flatMap(\.bytes)
    for size in 1...bytes.count {
      var arrived: [UInt8] = []
      var taken: [Frame] = []
      for start in stride(from: 0, to: bytes.count, by: size) {
        arrived += bytes[start..<min(start + size, bytes.count)]
        while let frame = try Frame.take(from: &arrived) { taken.append(frame) }
      }
      #expect(taken == frames && arrived.isEmpty)
    }
    #expect(UInt32(littleEndianBytes: UInt32(0x0102_0304).littleEndianBytes) == 0x0102_0304)
  }

  @Test func noiseIsNoMessage() {
    for noise in [[0, 0, 0, 0, 99, 0, 0, 0, 0], [255, 255, 255, 255, 1, 0, 0, 0, 0]] as [[UInt8]] {
      var arrived = noise
      #expect(throws: Failure.self) { try Frame.take(from: &arrived) }
    }
  }

  @Test func aCommandKeepsItsWords() throws {
    let command = GuestCommand(argv: ["a", "", "b c"], environment: ["A=", "B=\n"], directory: "/ä")
    #expect(GuestCommand(payload: try command.payload()) == command)
    for payload in ["", "/\0", "/\0x\0a\0", "/\0-1\0a\0", "/\u{0}2\0a\0", "/\u{0}0\0a\0", "a"] {
      #expect(GuestCommand(payload: Array(payload.utf8)) == nil, "\(payload.debugDescription)")
    }
    let long = GuestCommand(
      argv: [String(repeating: "x", count: Frame.payloadLimit)], environment: [], directory: "/")
    #expect(throws: Failure.self) { try long.payload() }
  }

  @Test func modulesComeAfterWhatTheyNeed() {
    let index = ModuleIndex(
      """
      kernel/a.ko: kernel/b-x.ko kernel/c.ko
      kernel/b-x.ko: kernel/c.ko
      kernel/c.ko:
      kernel/d.ko.xz: kernel/c.ko
      nonsense
      """)
    #expect(
      index.order(for: ["a", "none", "d"]) == [
        "kernel/c.ko", "kernel/b-x.ko", "kernel/a.ko", "kernel/d.ko.xz",
      ])
    #expect(index.order(for: ["b_x"]) == ["kernel/c.ko", "kernel/b-x.ko"])
  }

  @Test func anArchiveIsWhatCPIOReads() {
    var archive = CPIOArchive()
    archive.addFile("f", [65])
    let bytes = archive.bytes
    #expect(bytes.count % 4 == 0)
    let text = String(decoding: bytes, as: UTF8.self)
    // ino 1, a regular file of mode 755, one link, one byte, a name of two bytes; the rest is 0.
    let numbers = ["1", "81ed", "0", "0", "1", "0", "1", "0", "0", "0", "0", "2", "0"]
    let header = numbers.map { String(repeating: "0", count: 8 - $0.count) + $0 }.joined()
    let start = "070701" + header + "f\0" + "A\0\0\0"
    #expect(text.hasPrefix(start))
    #expect(text.contains("TRAILER!!!\0"))
  }

  @Test func onlyAnXZKernelIsUnpacked() {
    var image = [UInt8](repeating: 0, count: 2048)
    image.replaceSubrange(0x202..<0x206, with: Array("HdrS".utf8))
    image[0x1f1] = 1
    image.replaceSubrange(0x248..<0x250, with: [16, 0, 0, 0, 12, 0, 0, 0])
    #expect(BootImage(image).xzPayload == nil)
    image.replaceSubrange(1040..<1048, with: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 8, 9])
    #expect(BootImage(image).xzPayload == [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 8, 9])
    image[0x24c + 3] = 0xff
    #expect(BootImage(image).xzPayload == nil)
    #expect(BootImage([]).xzPayload == nil)
  }

  @Test func alarmsAreFoundAndMayBeAllowed() {
    let log = KernelLog(text: "[ 1.0] fine\r\n[ 1.1] WARNING: CPU: 0\r\n[ 1.2] Oops: 0000\nlast")
    #expect(log.alarms() == ["[ 1.1] WARNING: CPU: 0", "[ 1.2] Oops: 0000"])
    #expect(log.alarms(except: ["CPU: 0"]) == ["[ 1.2] Oops: 0000"])
    #expect(log.ending(2) == "[ 1.0] fine\n[ 1.1] WARNING: CPU: 0")
    #expect(KernelLog(text: "a\nb\nc").ending(2) == "b\nc")
  }

  @Test func aPromiseIsKeptOnceOrGivenUp() async {
    let promise = Promise<Int>()
    #expect(await promise.value(limit: .milliseconds(1)) == nil)
    async let first = promise.value(limit: .seconds(60))
    promise.settle(1)
    promise.settle(2)
    #expect(await first == 1)
    #expect(await promise.value(limit: .zero) == 1)
    let never = Promise<Int>()
    let task = Task { await never.value(limit: .seconds(600)) }
    task.cancel()
    #expect(await task.value == nil)
  }

  @Test func disksAndNetworksAreChecked() throws {
    #expect(throws: Failure.self) { try ScratchDisk(serial: "a,b") }
    #expect(throws: Failure.self) { try ScratchDisk(serial: "") }
    #expect(throws: Failure.self) { try ScratchDisk(serial: String(repeating: "a", count: 21)) }
    #expect(throws: Failure.self) { try ScratchDisk(serial: "a", size: 513) }
    #expect(throws: Failure.self) { try VirtualNetwork(ports: 0) }
    #expect(try ScratchDisk(serial: "a", size: 512).size == 512)
  }
}
