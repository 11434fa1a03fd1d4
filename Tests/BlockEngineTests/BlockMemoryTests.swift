import BlockEngine
import Testing

@Suite struct BlockMemoryTests {
  /// What a device that was given up has is not used for other data.
  @Test func memoryThatSomebodyHasIsShared() {
    var buffer = BlockBuffer(count: 4096)
    let before = buffer.isUnshared
    var part: BlockBuffer? = buffer[512..<1024]
    let during = buffer.isUnshared
    #expect(part?.count == 512)
    part = nil
    let after = buffer.isUnshared
    #expect([before, during, after] == [true, false, true])
  }
}
