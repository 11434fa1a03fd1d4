import BlockEngine
import HostInterface

/// The beginning of a device, to look at: what is written to it is acknowledged and dropped.
///
/// So a pool is opened for a look without repairing, or changing, anything.
final class ReadOnlyView: BlockDevice {
  private let device: any BlockDevice
  let size: Int
  /// Whether something was to be written.
  private(set) var wasWritten = false

  init(_ device: any BlockDevice, size: Int) {
    self.device = device
    self.size = min(size, device.size)
  }

  var name: String { device.name }
  var logicalBlockSize: Int { device.logicalBlockSize }

  func submit(_ request: BlockRequest, _ completion: @escaping (Failure?) -> Void) {
    if let refusal = refusal(of: request) { return completion(refusal) }
    if case .read = request { return device.submit(request, completion) }
    if case .flush = request { return completion(nil) }
    wasWritten = true
    completion(nil)
  }
}
