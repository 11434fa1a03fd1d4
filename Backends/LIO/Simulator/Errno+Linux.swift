import SystemPackage

/// Error numbers of Linux under names that say what LIO means by them.
extension Errno {
  static let noSuchProcess = Errno(rawValue: 3)
  static let blockDeviceRequired = Errno(rawValue: 15)
  static let noSuchDevice = Errno(rawValue: 19)
  static let overflow = Errno(rawValue: 75)
  static let operationNotSupported = Errno(rawValue: 95)
}
