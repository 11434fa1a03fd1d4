/// The settings of a logical unit that implementations differ in.
public enum UnitField: String, Sendable, Hashable, CaseIterable {
  case store, deviceType, blockSize, readOnly, cache, thin, removable, online, scsiID, serial, vendor,
    product,
    revision
}

extension LogicalUnit {
  /// A setting as text; nil when it is not named, or not told.
  ///
  /// Setting a text that is no value of the field leaves the field alone.
  public subscript(field: UnitField) -> String? {
    get {
      switch field {
      case .store: store
      case .deviceType: deviceType?.rawValue
      case .blockSize: blockSize.map(String.init)
      case .readOnly: readOnly.map(String.init)
      case .cache: cache?.rawValue
      case .thin: thin.map(String.init)
      case .removable: removable.map(String.init)
      case .online: online.map(String.init)
      case .scsiID: scsiID
      case .serial: serial
      case .vendor: vendor
      case .product: product
      case .revision: revision
      }
    }
    set {
      guard let newValue else { return }
      switch field {
      case .store: store = newValue
      case .deviceType: deviceType = DeviceType(rawValue: newValue) ?? deviceType
      case .blockSize: blockSize = UInt32(newValue) ?? blockSize
      case .readOnly: readOnly = Bool(newValue) ?? readOnly
      case .cache: cache = CacheMode(rawValue: newValue) ?? cache
      case .thin: thin = Bool(newValue) ?? thin
      case .removable: removable = Bool(newValue) ?? removable
      case .online: online = Bool(newValue) ?? online
      case .scsiID: scsiID = newValue
      case .serial: serial = newValue
      case .vendor: vendor = newValue
      case .product: product = newValue
      case .revision: revision = newValue
      }
    }
  }

  /// The settings that both name and that differ.
  public func differences(from other: LogicalUnit) -> [UnitField] {
    UnitField.allCases.filter { field in
      guard let mine = self[field], let theirs = other[field] else { return false }
      return mine != theirs
    }
  }
}
