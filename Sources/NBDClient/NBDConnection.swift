import BlockEngine
import CLibNBD
import Glibc
import HostInterface
import LinuxBlockDevices
import SystemPackage

/// One connection to an NBD server, driven by the engine's loop as libnbd(3) says: the loop waits for the socket, and
/// libnbd does what can be done without waiting.
final class NBDConnection {
  enum State {
    case connecting
    case open
    /// Nothing is sent any more; answers to what was sent before may still come.
    case lost(Failure)
  }

  let name: String
  private(set) var state = State.connecting
  /// Told once when an open connection is lost, and why; a little later when it is lost already.
  var onLoss: ((Failure) -> Void)? {
    didSet {
      guard let onLoss, let loss else { return }
      self.onLoss = nil
      loop.schedule(after: .zero) { onLoss(loss) }
    }
  }
  /// Nil once it is closed.
  private(set) var handle: NBDHandle?
  private let loop: AIOLoop
  private let answerLimit: Duration

  private var watch: DescriptorWatch?
  private var watched: Int32 = -1
  private var lookup: (lookup: NameLookup, watch: DescriptorWatch)?
  private var whenOpen: ((Failure?) -> Void)?
  private var connectTimer: ScheduledCall?

  private var lastNumber = 0
  private weak var waiting: WaitingRequests?
  /// What libnbd has told and nobody heard yet, with the error number.
  private var answered: [(NBDRequest, Int32)] = []
  private var isAnsweringSoon = false
  private var whenOver: [(Failure?) -> Void] = []
  private var endTimer: ScheduledCall?

  init(_ name: String, on loop: AIOLoop, answerLimit: Duration) throws {
    self.name = name
    self.loop = loop
    self.answerLimit = answerLimit
    handle = try NBDHandle()
  }

  deinit {
    lookup?.watch.cancel()
    watch?.cancel()
  }

  /// Connects, and calls back when the server takes requests, or with why it does not.
  func open(atMost limit: Duration, _ completion: @escaping (Failure?) -> Void) {
    guard let handle else { return completion(closed) }
    do {
      let step = try NameLookup(handle, name)
      whenOpen = completion
      let watch = loop.watch(step.descriptor, for: .input) { [weak self] _ in self?.nameIsLookedUp() }
      lookup = (step, watch)
      // It keeps the connection, which nobody else has until it is open.
      connectTimer = loop.schedule(after: limit) { [self] in
        lose(
          Failure(
            .timedOut, name, "the NBD server did not take the connection for \(limit)",
            remedy: "see whether the server hangs, and restart it"))
      }
    } catch {
      completion(error as? Failure ?? Failure(.invalid, name, "\(error)"))
    }
  }

  private func nameIsLookedUp() {
    guard let (step, watch) = lookup else { return }
    watch.cancel()
    lookup = nil
    if let error = step.answer { return lose(cannotConnect(error)) }
    settle()
  }

  // MARK: requests

  /// Hands a request to libnbd, which sends at once what the socket takes.
  func send(_ request: BlockRequest, fua: Bool, _ completion: @escaping (Failure?) -> Void) {
    let fuaFlag: UInt32 = fua ? LIBNBD_CMD_FLAG_FUA : 0
    lastNumber += 1
    let entry = NBDRequest(lastNumber, .block(request), of: self)
    send(entry, completion) { handle in
      let (library, pointer, callback) = (handle.library, handle.pointer, entry.callback)
      switch request {
      case .read(let offset, _):
        return library.nbd_aio_pread(
          pointer, entry.scratch?.baseAddress, entry.scratch?.count ?? 0, UInt64(offset), callback, 0)
      case .write(let offset, let buffer, _):
        return library.nbd_aio_pwrite(
          pointer, buffer.bytes.baseAddress, buffer.count, UInt64(offset), callback, fuaFlag)
      case .flush: return library.nbd_aio_flush(pointer, callback, 0)
      // Without NO_HOLE the server may free the blocks (nbd_zero(3)).
      case .discard(let offset, let count):
        return library.nbd_aio_zero(pointer, UInt64(count), UInt64(offset), callback, fuaFlag)
      case .writeZeroes(let offset, let count, _):
        let flags = fuaFlag | UInt32(LIBNBD_CMD_FLAG_NO_HOLE)
        return library.nbd_aio_zero(pointer, UInt64(count), UInt64(offset), callback, flags)
      }
    }
  }

  /// Asks the server which parts of a range are holes.
  func askStatus(
    of range: Range<Int>, logicalBlockSize: Int,
    _ completion: @escaping (Result<[BlockStatus], Failure>) -> Void
  ) {
    lastNumber += 1
    let entry = NBDRequest(lastNumber, .status(range), of: self, logicalBlockSize: logicalBlockSize)
    send(entry) { failure in
      completion(failure.map(Result.failure) ?? .success(entry.status?.parts ?? []))
    } _: { handle in
      handle.library.nbd_aio_block_status(
        handle.pointer, UInt64(range.count), UInt64(range.lowerBound), entry.statusCallback, entry.callback, 0
      )
    }
  }

  private func send(
    _ entry: NBDRequest, _ completion: @escaping (Failure?) -> Void, _ call: (NBDHandle) -> Int64
  ) {
    guard case .open = state, let handle else {
      let failure = loss ?? closed
      loop.schedule(after: .zero) { completion(failure) }
      return
    }
    let waiting = waiting ?? beginWaiting()
    waiting.add(entry.number, at: loop.now, completion)
    let cookie = call(handle)
    if cookie < 0, !handle.isDead {
      let (number, text) = handle.lastError
      let completion = waiting.take(entry.number)
      let failure = entry.failure(number == 0 ? EIO : number, of: name, answer: text)
      loop.schedule(after: .zero) { completion?(failure) }
    }
    settle(isInside: true)
  }

  /// Called by libnbd, inside one of its functions: none of them may be called here.
  func isAnswered(_ request: NBDRequest, _ error: Int32) {
    // The connection is lost, which is seen to when libnbd has returned.
    if error == ENOTCONN { return }
    answered.append((request, error))
  }

  /// Sees to what a call into libnbd has changed.
  ///
  /// - Parameter isInside: Whether somebody submits just now, who is not to be called back before that returns.
  private func settle(isInside: Bool = false) {
    guard let handle else { return }
    if handle.isDead || (isConnecting && handle.isFresh) {
      answerSoon()
      return lose(isConnecting ? cannotConnect(handle.lastError) : lost(handle))
    }
    if isConnecting, handle.isOpen {
      state = .open
      connectTimer?.cancel()
      keepAlive(handle)
      let whenOpen = self.whenOpen
      self.whenOpen = nil
      wait(handle)
      whenOpen?(nil)
      return
    }
    wait(handle)
    if isInside { answerSoon() } else { answer() }
  }

  private var isConnecting: Bool { if case .connecting = state { true } else { false } }
  private var loss: Failure? { if case .lost(let failure) = state { failure } else { nil } }
  private var closed: Failure { Failure(.unavailable, name, "the connection to the NBD server is closed") }

  /// Waits for what libnbd waits for, at the socket that it has now: connecting tries one address after the other.
  private func wait(_ handle: NBDHandle) {
    let descriptor = handle.library.nbd_aio_get_fd(handle.pointer)
    let direction = handle.library.nbd_aio_get_direction(handle.pointer)
    var events: PollEvents = []
    if direction & UInt32(LIBNBD_AIO_DIRECTION_READ) != 0 { events.insert(.input) }
    if direction & UInt32(LIBNBD_AIO_DIRECTION_WRITE) != 0 { events.insert(.output) }
    if let watch, watched == descriptor {
      watch.events = events
      return
    }
    watch?.cancel()
    watched = descriptor
    watch = loop.watch(descriptor, for: events) { [weak self] in self?.socketIsReady($0) }
  }

  private func socketIsReady(_ events: PollEvents) {
    guard let handle else { return }
    // One of the two, since the first may change what libnbd waits for (lib/poll.c in libnbd).
    let direction = handle.library.nbd_aio_get_direction(handle.pointer)
    let isReading = direction & UInt32(LIBNBD_AIO_DIRECTION_READ) != 0
    if isReading, !events.isDisjoint(with: [.input, .hangUp, .error]) {
      _ = handle.library.nbd_aio_notify_read(handle.pointer)
    } else {
      _ = handle.library.nbd_aio_notify_write(handle.pointer)
    }
    settle()
  }

  private func answerSoon() {
    guard !answered.isEmpty, !isAnsweringSoon else { return }
    isAnsweringSoon = true
    loop.schedule(after: .zero) { [self] in
      isAnsweringSoon = false
      answer()
    }
  }

  private func answer() {
    let answers = answered
    answered = []
    for (request, error) in answers {
      guard let completion = waiting?.take(request.number) else { continue }
      if error == 0 { request.deliver() }
      completion(error == 0 ? nil : request.failure(error, of: name))
    }
  }

  // MARK: ends

  private func beginWaiting() -> WaitingRequests {
    let waiting = WaitingRequests()
    self.waiting = waiting
    scheduleCheck(of: waiting)
    return waiting
  }

  /// Looks for requests without an answer, as long as there are any.
  private func scheduleCheck(of waiting: WaitingRequests) {
    loop.schedule(after: answerLimit / 8) { [weak self] in
      guard let self, let oldest = waiting.oldest else { return }
      if loop.now - oldest >= answerLimit {
        giveUp(
          Failure(
            .timedOut, name, "the NBD server did not answer for \(answerLimit)",
            remedy: "see whether the server hangs, and attach the leg again"))
      } else {
        scheduleCheck(of: waiting)
      }
    }
  }

  /// Answers everybody with a failure, and leaves the connection to what the server still has to tell.
  private func giveUp(_ failure: Failure) {
    if loss == nil { state = .lost(failure) }
    tell(failure)
  }

  /// The connection is gone, or is given up altogether.
  private func lose(_ failure: Failure) {
    let whenOpen = self.whenOpen
    self.whenOpen = nil
    if loss == nil { state = .lost(failure) }
    connectTimer?.cancel()
    lookup?.watch.cancel()
    lookup = nil
    watch?.cancel()
    watch = nil
    handle = nil
    tell(failure)
    whenOpen?(failure)
    isOver(nil)
  }

  private func isOver(_ failure: Failure?) {
    endTimer?.cancel()
    endTimer = nil
    let bodies = whenOver
    whenOver = []
    for body in bodies { body(failure) }
  }

  /// Tells everybody who waits, in the order of their requests, except who is about to get an answer.
  private func tell(_ failure: Failure) {
    let completions = waiting?.takeAll(except: Set(answered.map(\.0.number))) ?? []
    let onLoss = self.onLoss
    self.onLoss = nil
    loop.schedule(after: .zero) {
      for completion in completions { completion(failure) }
      onLoss?(failure)
    }
  }

  /// Asks the server to finish what it has (NBD_CMD_DISC), and waits for its end of the connection.
  ///
  /// A server that hangs has in its socket what it has not read yet, and may do it later: the connection stays, so that
  /// this can be called again. One that is gone in any other way has nothing to come: nbdkit and qemu-nbd finish what they
  /// have before they close, a program that died cannot, and a network that is down keeps no requests.
  ///
  /// - Parameter completion: Called with nil when the connection is gone.
  func end(atMost limit: Duration, _ completion: @escaping (Failure?) -> Void) {
    guard let handle, !isConnecting else {
      if isConnecting { lose(closed) }
      return completion(nil)
    }
    onLoss = nil
    whenOver.append(completion)
    guard endTimer == nil else { return }
    if loss == nil { state = .lost(closed) }
    endTimer = loop.schedule(after: limit) { [self] in
      isOver(
        Failure(
          .timedOut, name, "the NBD server did not end the connection for \(limit), and may still write",
          remedy: "see to it that the server goes on, or is ended"))
    }
    // The second time this is refused, and does no harm.
    _ = handle.library.nbd_aio_disconnect(handle.pointer, 0)
    settle()
  }

  /// Why an open connection was lost.
  private func lost(_ handle: NBDHandle) -> Failure {
    if handle.isClosed, loss != nil { return closed }
    let (number, text) = handle.lastError
    let isItsEnd =
      handle.isClosed || [ECONNRESET, EPIPE].contains(number) || text.contains("disconnected unexpectedly")
      || text.contains("gnutls_record")
    if isItsEnd {
      return Failure(
        .unavailable, name, "the NBD server ended the connection", answer: handle.isClosed ? nil : text,
        remedy: "look into the log of the NBD server, and attach the leg again")
    }
    if number == 0 || number == EPROTO {
      return Failure(
        .garbled, name, "the NBD server broke the protocol", answer: text,
        remedy: "see whether it is a server of NBD, and attach the leg again")
    }
    var failure = Failure.system(Errno(rawValue: number), name, "the connection to the NBD server broke")
    failure.answer = text
    return failure
  }

  private func cannotConnect(_ error: (number: Int32, text: String)) -> Failure {
    let problem = "cannot connect to the NBD server"
    let remedy = "see whether the server runs and has the export"
    guard error.number != 0 else {
      return Failure(.unavailable, name, problem, answer: error.text, remedy: remedy)
    }
    var failure = Failure.system(Errno(rawValue: error.number), name, problem, remedy: remedy)
    if error.number == EINVAL { failure.code = .invalid }
    failure.answer = error.text
    return failure
  }

  /// Lets the kernel find out within half a minute that the other machine is gone, while nothing is asked of it
  /// (tcp(7)); other sockets than TCP refuse that.
  private func keepAlive(_ handle: NBDHandle) {
    let descriptor = handle.library.nbd_aio_get_fd(handle.pointer)
    let tcp = Int32(IPPROTO_TCP)
    let settings: [(Int32, Int32, Int32)] = [
      (SOL_SOCKET, SO_KEEPALIVE, 1), (tcp, TCP_KEEPIDLE, 10), (tcp, TCP_KEEPINTVL, 5), (tcp, TCP_KEEPCNT, 3),
    ]
    for (level, option, value) in settings {
      var value = value
      setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }
  }
}
