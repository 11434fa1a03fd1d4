import BlockEngine
import CLibNBD
import HostInterface
import LinuxBlockDevices

/// How an NBD server is used as a leg.
package struct NBDLegOptions {
  /// How long connecting may take, with looking up the name and with TLS.
  package var connectLimit: Duration = .seconds(10)
  /// After how long without an answer to a request the server is given up.
  ///
  /// To be less than ``BlockEngine/MirrorOptions/stallLimit``, so that a late answer never comes into a buffer that the
  /// mirror uses anew.
  package var answerLimit: Duration = .seconds(8)
  /// The size in bytes that the export must have; nil for any.
  package var size: Int?

  /// The ordinary options.
  package init() {}

  /// Options that suit a mirror with this stall limit.
  package init(stallLimit: Duration) { answerLimit = stallLimit * 4 / 5 }
}

/// An export of an NBD server, mostly on another machine, as a block device, by libnbd.
///
/// It has one connection, and a lost one is not made again: whoever wants the leg back ends this one (``end(atMost:_:)``),
/// connects a new one, and gives that to the mirror.
///
/// A write that has to be durable has FUA, or is followed by a flush where the server has no FUA. A server that has
/// neither is refused, although the NBD protocol allows it: the Linux client takes such a server for one without a cache,
/// which cannot be known. Discarding writes zeroes and lets the server free the blocks, because what NBD_CMD_TRIM leaves
/// behind is undefined, and legs are to be alike.
package final class NBDLeg: BlockDevice {
  package let name: String
  package let size: Int
  package let logicalBlockSize: Int
  package let isRemote = true

  /// Told once when the connection is lost, also while nothing is asked, or was lost before this is set.
  package var onLoss: ((Failure) -> Void)? {
    get { connection.onLoss }
    set { connection.onLoss = newValue }
  }
  private let connection: NBDConnection
  /// What the server takes in one request, in bytes.
  private let largest: Int
  private let hasFlush: Bool
  private let hasFUA: Bool
  private let hasZero: Bool
  private let tellsHoles: Bool
  private static let zeroes = 1 << 20

  /// Connects to an export.
  ///
  /// - Parameters:
  ///   - uri: Where it is, as nbd_connect_uri(3) reads it: `nbd://HOST/EXPORT`, `nbds://` with TLS,
  ///     `nbd+unix:///EXPORT?socket=PATH`; with `tls-psk-file=` and `tls-certificates=`, whose files libnbd reads. It
  ///     stands in messages, and so has no password.
  ///   - loop: What drives it.
  ///   - options: See ``NBDLegOptions``.
  ///   - completion: Called later with the leg, or with why there is none: ``Failure/Code/unavailable`` without libnbd or
  ///     a server, ``Failure/Code/invalid`` for what is no URI, ``Failure/Code/refused`` for an export that cannot be a
  ///     leg, ``Failure/Code/timedOut``.
  package static func connect(
    _ uri: String, on loop: AIOLoop, options: NBDLegOptions = NBDLegOptions(),
    _ completion: @escaping (Result<NBDLeg, Failure>) -> Void
  ) {
    do {
      let connection = try NBDConnection(uri, on: loop, answerLimit: options.answerLimit)
      connection.open(atMost: options.connectLimit) { failure in
        if let failure { return completion(.failure(failure)) }
        do {
          let leg = try NBDLeg(connection, options)
          completion(.success(leg))
        } catch {
          connection.end(atMost: options.connectLimit) { _ in }
          completion(.failure(error as? Failure ?? Failure(.invalid, uri, "\(error)")))
        }
      }
    } catch {
      completion(.failure(error as? Failure ?? Failure(.invalid, uri, "\(error)")))
    }
  }

  private init(_ connection: NBDConnection, _ options: NBDLegOptions) throws {
    guard let handle = connection.handle else { throw Failure(.unavailable, connection.name, "it is closed") }
    let (library, pointer, name) = (handle.library, handle.pointer, connection.name)
    self.connection = connection
    self.name = name
    hasFlush = library.nbd_can_flush(pointer) == 1
    hasFUA = library.nbd_can_fua(pointer) == 1
    hasZero = library.nbd_can_zero(pointer) == 1
    tellsHoles = library.nbd_can_meta_context(pointer, LIBNBD_CONTEXT_BASE_ALLOCATION) == 1
    guard library.nbd_is_read_only(pointer) == 0 else {
      throw Failure(.refused, name, "the NBD server exports it read-only", remedy: "export it for writing")
    }
    guard hasFlush || hasFUA else {
      throw Failure(
        .refused, name,
        "the NBD server has neither flush nor FUA, so that nothing is ever known to be durable",
        remedy: "use a server that has one of them, such as qemu-nbd or nbdkit")
    }
    // NBD_INFO_BLOCK_SIZE in the protocol; 0 when the server does not say, and then 32 MiB are safe.
    let least = library.nbd_get_block_size(pointer, Int32(LIBNBD_SIZE_MINIMUM))
    let most = library.nbd_get_block_size(pointer, Int32(LIBNBD_SIZE_MAXIMUM))
    let block = max(512, Int(least))
    guard block <= 4096, block.nonzeroBitCount == 1 else {
      throw Failure(
        .refused, name, "the NBD server takes only blocks of \(least) bytes, and a leg needs 4096 or less",
        remedy: "change that at the server; nbdkit has --filter=blocksize")
    }
    logicalBlockSize = block
    largest = max(block, min(most > 0 ? Int(most) : 32 << 20, 32 << 20) / block * block)
    let found = library.nbd_get_size(pointer)
    guard found >= 0 else {
      throw Failure(.refused, name, "the NBD server does not tell the size", answer: handle.lastError.text)
    }
    size = Int(found) / block * block
    if let expected = options.size, expected != size {
      throw Failure(
        .refused, name, "the export has \(size) bytes now, and had \(expected)",
        remedy: "give it its former size, or replace the leg")
    }
  }

  package func submit(_ request: BlockRequest, _ completion: @escaping (Failure?) -> Void) {
    if let refusal = refusal(of: request) { return completion(refusal) }
    guard let range = request.range, !range.isEmpty || isFlush(request) else { return completion(nil) }
    guard range.count <= largest else {
      let parts = stride(from: range.lowerBound, to: range.upperBound, by: largest).map {
        request.part($0..<min($0 + largest, range.upperBound))
      }
      return submitInOrder(parts, completion)
    }
    switch request {
    case .read: connection.send(request, fua: false, completion)
    case .write(_, _, let durable): change(request, durable: durable, completion)
    case .flush:
      // Without flush everything is written with FUA.
      if hasFlush { connection.send(.flush, fua: false, completion) } else { completion(nil) }
    case .discard: zero(request, range, durable: false, completion)
    case .writeZeroes(_, _, let durable): zero(request, range, durable: durable, completion)
    }
  }

  /// Asks the server, where it knows (`base:allocation` in the NBD protocol).
  package func blockStatus(
    of range: Range<Int>, _ completion: @escaping (Result<[BlockStatus], Failure>) -> Void
  ) {
    if let refusal = refusal(of: range) { return completion(.failure(refusal)) }
    let asked = range.lowerBound..<range.lowerBound + min(range.count, Self.mostOfStatus)
    guard tellsHoles else { return completion(.success([BlockStatus(count: range.count, isHole: false)])) }
    connection.askStatus(of: asked, logicalBlockSize: logicalBlockSize, completion)
  }

  /// The protocol has 32 bits for a length.
  private static let mostOfStatus = 1 << 30

  private func isFlush(_ request: BlockRequest) -> Bool { if case .flush = request { true } else { false } }

  private func change(_ request: BlockRequest, durable: Bool, _ completion: @escaping (Failure?) -> Void) {
    if hasFUA || !durable {
      return connection.send(request, fua: hasFUA && (durable || !hasFlush), completion)
    }
    connection.send(request, fua: false) { [connection] failure in
      if let failure { return completion(failure) }
      connection.send(.flush, fua: false, completion)
    }
  }

  private func zero(
    _ request: BlockRequest, _ range: Range<Int>, durable: Bool, _ completion: @escaping (Failure?) -> Void
  ) {
    if hasZero { return change(request, durable: durable, completion) }
    let most = min(Self.zeroes, largest)
    let zeroes = BlockBuffer(count: min(range.count, most))
    let writes = stride(from: range.lowerBound, to: range.upperBound, by: most).map {
      BlockRequest.write(offset: $0, zeroes[0..<min(most, range.upperBound - $0)], durable: durable)
    }
    submitInOrder(writes, completion)
  }

  /// Ends the use of the server: it is asked to finish what it has, and to close the connection.
  ///
  /// To be waited for before another connection to the same export is given to a mirror, so that no write that an earlier
  /// one left behind comes after newer ones.
  ///
  /// - Parameters:
  ///   - limit: How long to wait for the server.
  ///   - completion: Called with nil when the connection is gone; with ``Failure/Code/timedOut`` when the server has not
  ///     ended it. Then it stays, so that this can be called again.
  package func end(atMost limit: Duration, _ completion: @escaping (Failure?) -> Void) {
    connection.end(atMost: limit, completion)
  }
}
