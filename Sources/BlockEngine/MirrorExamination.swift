import HostInterface

/// What stands on the legs of a mirror that is not open, found without writing anything.
package struct MirrorExamination {
  /// The number of legs that the mirror has.
  package let legCount: Int
  /// The size of its data in bytes.
  package let dataSize: Int
  /// The mirror's 16 bytes.
  package let id: [UInt8]
  /// How each leg does, by its index.
  package let legStatus: [LegStatus]
  /// The index of each device that was looked at; nil for one that could not be read, or is no leg.
  package let indexes: [Int?]
  /// What was wrong with each device that was looked at.
  package let problems: [Failure?]
  /// The place, among the devices, of the one whose data count; nil where none does.
  package let counting: Int?
  /// Why the mirror would not be opened; nil when it would be.
  package let refusal: Failure?
  /// How many bytes some leg may lack, as far as the bitmap tells; what a crash left comes on top.
  package let outOfSync: Int
  /// Whether it was not closed: by a crash, or because it is open elsewhere.
  package let isInUse: Bool
}

extension Mirror {
  /// Looks at legs without writing to them.
  ///
  /// - Parameters:
  ///   - devices: The legs that are there, in any order.
  ///   - clock: Time.
  ///   - options: As for opening.
  ///   - completion: Called with what was found, or with why nothing was: no device is a leg.
  package static func examine(
    _ devices: [any BlockDevice], clock: any EngineClock, options: MirrorOptions = MirrorOptions(),
    _ completion: @escaping (Result<MirrorExamination, Failure>) -> Void
  ) {
    var records = [LegRecord?](repeating: nil, count: devices.count)
    var problems = [Failure?](repeating: nil, count: devices.count)
    let read = Completion { _ in judge(devices, records, problems, clock, options, completion) }
    for (place, device) in devices.enumerated() {
      let end = read.expect()
      clock.limited(options.stallLimit, device.name) {
        readLeg(device, $0) { records[place] = $0 }
      } _: { failure in
        problems[place] = failure
        if failure != nil { records[place] = nil }
        end(nil)
      }
    }
    read.seal()
  }

  /// Decides what the legs are to each other; a disk that was replaced is left out then.
  private static func judge(
    _ devices: [any BlockDevice], _ records: [LegRecord?], _ problems: [Failure?], _ clock: any EngineClock,
    _ options: MirrorOptions, _ completion: @escaping (Result<MirrorExamination, Failure>) -> Void
  ) {
    let places = devices.indices.filter { records[$0] != nil }
    let found = places.compactMap { records[$0] }
    guard let first = found.first else {
      return completion(.failure(problems.compactMap { $0 }.first ?? nothing))
    }
    let names = places.map { devices[$0].name }
    var missingAllowed = options
    missingAllowed.allowsMissingLegs = true
    do {
      let assembly = try MirrorAssembly(found, names: names, options: missingAllowed)
      let replaced = zip(places, assembly.needs).filter { $0.1 == .replaced }.map(\.0)
      if !replaced.isEmpty {
        var (records, problems) = (records, problems)
        for place in replaced {
          (records[place], problems[place]) = (nil, MirrorAssembly.replaced(devices[place].name))
        }
        return judge(devices, records, problems, clock, options, completion)
      }
      let refusal: Failure?
      do {
        _ = try MirrorAssembly(found, names: names, options: options)
        refusal = nil
      } catch { refusal = error as? Failure }
      readBitmap(devices[places[assembly.reference]], found[assembly.reference], clock, options) { count in
        completion(
          .success(
            MirrorExamination(
              first, records, problems, found, places, assembly, refusal: refusal, outOfSync: count)))
      }
    } catch {
      completion(
        .success(
          MirrorExamination(
            first, records, problems, found, places, nil, refusal: error as? Failure, outOfSync: 0)))
    }
  }

  private static var nothing: Failure { Failure(.invalid, "mirror", "no leg is named") }

  private static func readBitmap(
    _ device: any BlockDevice, _ record: LegRecord, _ clock: any EngineClock, _ options: MirrorOptions,
    _ completion: @escaping (Int) -> Void
  ) {
    var bitmap = DirtyBitmap(blockCount: record.layout.blockCount)
    readBitmap(
      record.layout, of: device, from: 0, clock, options,
      { _ in completion(bitmap.count * LegLayout.block) }, { _ = bitmap.merge($0, $1) })
  }
}

extension MirrorExamination {
  fileprivate init(
    _ first: LegRecord, _ records: [LegRecord?], _ problems: [Failure?], _ found: [LegRecord],
    _ places: [Int], _ assembly: MirrorAssembly?, refusal: Failure?, outOfSync: Int
  ) {
    legCount = first.legCount
    dataSize = first.layout.dataSize
    id = first.mirrorID
    indexes = records.map { $0?.index }
    self.problems = problems
    counting = assembly.map { places[$0.reference] }
    self.refusal = refusal
    self.outOfSync = outOfSync
    isInUse = assembly?.isAfterCrash ?? found.contains(where: \.isInUse)
    var status = [LegStatus](repeating: .missing, count: first.legCount)
    for (place, record) in found.enumerated() where record.index < status.count {
      switch assembly?.needs[place] {
      case .nothing?: status[record.index] = .upToDate
      case .changes?, .everything?: status[record.index] = .outdated
      case .replaced?, nil: status[record.index] = .diverged
      }
    }
    legStatus = status
  }
}
