import CNBDKit
import Glibc

/// What nbdkit looks up in the plugin when it has loaded it (nbdkit-plugin(3), "Writing an nbdkit plugin").
@c(plugin_init)
public func registerPlugin() -> UnsafeMutablePointer<nbdkit_plugin> {
  // It and its texts are read as long as the process runs, and never freed.
  let plugin = UnsafeMutablePointer<nbdkit_plugin>.allocate(capacity: 1)
  var made = nbdkit_plugin()
  made._struct_size = UInt64(MemoryLayout<nbdkit_plugin>.size)
  made._api_version = NBDKIT_API_VERSION
  made._thread_model = NBDKIT_THREAD_MODEL_PARALLEL
  made.name = lasting("quartet")
  made.longname = lasting("Quartet pools")
  made.description = lasting(
    "Serves the volumes of a mirrored pool. The name of an export is the name of a volume.")
  made.config_help = lasting(Parameters.help)
  made.magic_config_key = lasting("pool")
  made.config = { key, value in
    status {
      guard let key, let value else { return }
      try Plugin.shared.set(String(cString: key), to: String(cString: value))
    }
  }
  made.config_complete = { status { try Plugin.shared.checkParameters() } }
  made.get_ready = { status { try Plugin.shared.examine() } }
  made.after_fork = { status { try Plugin.shared.start() } }
  made.cleanup = { Plugin.shared.stop() }
  setExports(&made)
  setRequests(&made)
  plugin.initialize(to: made)
  return plugin
}

/// What concerns the exports, and one connection to one of them.
private func setExports(_ made: inout nbdkit_plugin) {
  made.list_exports = { _, _, exports in
    status {
      for name in try Plugin.shared.exportNames() {
        guard nbdkit_add_export(exports, name, nil) == 0 else { return }
      }
    }
  }
  made.default_export = { _, _ in
    guard let names = try? Plugin.shared.exportNames(), names.count == 1 else { return nil }
    return nbdkit_strdup_intern(names[0])
  }
  made.open = { _ in
    guard let name = nbdkit_export_name() else { return nil }
    var handle: UnsafeMutableRawPointer?
    _ = status { handle = Unmanaged.passRetained(try Plugin.shared.open(String(cString: name))).toOpaque() }
    return handle
  }
  made.close = { handle in
    // Sound: nbdkit gives back, once, what `open` gave it.
    if let handle { Unmanaged<Connection>.fromOpaque(handle).takeRetainedValue().close() }
  }
  made.get_size = { Connection.of($0).map { Int64($0.size) } ?? -1 }
  made.block_size = { handle, minimum, preferred, maximum in
    guard let connection = Connection.of(handle) else { return -1 }
    minimum?.pointee = UInt32(connection.logicalBlockSize)
    preferred?.pointee = UInt32(max(4096, connection.logicalBlockSize))
    maximum?.pointee = 64 << 20
    return 0
  }
  made.can_fua = { _ in NBDKIT_FUA_NATIVE }
  // A flush makes durable whatever is complete, on whichever connection.
  made.can_multi_conn = { _ in 1 }
}

/// What reads and writes.
private func setRequests(_ made: inout nbdkit_plugin) {
  made.pread = { handle, buffer, count, offset, _ in
    status(of: handle) {
      try $0.read(UnsafeMutableRawBufferPointer(start: buffer, count: Int(count)), at: offset)
    }
  }
  made.pwrite = { handle, buffer, count, offset, flags in
    status(of: handle) {
      try $0.write(
        UnsafeRawBufferPointer(start: buffer, count: Int(count)), at: offset, durable: isDurable(flags))
    }
  }
  made.flush = { handle, _ in status(of: handle) { try $0.flush() } }
  made.trim = { handle, count, offset, flags in
    status(of: handle) { try $0.discard(Int(count), at: offset, durable: isDurable(flags)) }
  }
  made.zero = { handle, count, offset, flags in
    status(of: handle) {
      // Zeroes that need not keep their place are what a discarded range reads as.
      if flags & UInt32(NBDKIT_FLAG_MAY_TRIM) != 0 {
        try $0.discard(Int(count), at: offset, durable: isDurable(flags))
      } else {
        try $0.writeZeroes(Int(count), at: offset, durable: isDurable(flags))
      }
    }
  }
  made.extents = { handle, count, offset, flags, extents in
    status(of: handle) {
      let isOne = flags & UInt32(NBDKIT_FLAG_REQ_ONE) != 0
      try $0.findHoles(Int(count), at: offset) { part, place in
        let kind = part.isHole ? UInt32(NBDKIT_EXTENT_HOLE | NBDKIT_EXTENT_ZERO) : 0
        return nbdkit_add_extent(extents, place, UInt64(part.count), kind) == 0 && !isOne
      }
    }
  }
}

private func lasting(_ text: String) -> UnsafePointer<CChar>? { UnsafePointer(strdup(text)) }

private func isDurable(_ flags: UInt32) -> Bool { flags & UInt32(NBDKIT_FLAG_FUA) != 0 }
