import IETBackend
import LIOBackend
import SCSTBackend
import STGTBackend
import TargetCore

/// Every implementation that Quartet drives, in the order in which one is chosen among those installed.
public enum BackendRegistry {
  /// One entry a backend.
  public static let all: [BackendDescriptor] = [
    .iet,
    .stgt,
    .lio,
    .scst,
  ]
}
