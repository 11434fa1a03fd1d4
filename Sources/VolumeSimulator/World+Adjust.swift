extension World {
  /// What `drbdadm --dry-run adjust` prints: the calls that it would make.
  func adjustments(_ request: Request) -> Answer {
    let connect = "drbdsetup-84 \(request.connectWords)"
    guard let host = request.host else { return .done }
    func attaching(_ volume: ConfiguredResource.Volume) -> [String] {
      let words = "\(volume.minor ?? 0) v08 \(metadataPath(volume)) internal apply-al"
      return ["drbdmeta \(words)", "drbdsetup-84 attach \(volume.minor ?? 0) \(volume.disk)"]
    }
    var lines: [String] = []
    let resource = self[request.node].running(request.name).map { self[request.node].resources[$0] }
    for volume in resource?.volumes ?? [] where !host.volumes.contains(where: { $0.number == volume.number })
    {
      lines.append("drbdsetup-84 del-minor \(volume.minor)")
    }
    if resource == nil { lines.append("drbdsetup-84 new-resource \(request.name)") }
    for volume in host.volumes {
      let found = resource?.volumes.first { $0.number == volume.number }
      if found == nil {
        lines.append("drbdsetup-84 new-minor \(request.name) \(volume.minor ?? 0) \(volume.number)")
      }
      if found?.disk == nil, volume.disk != "none" { lines += attaching(volume) }
    }
    if let resource, resource.connection != .standAlone, resource.addresses == request.addresses {
      let net = request.resource.options("net")
      if net != resource.net {
        let options = net.sorted { $0.key < $1.key }.map { " --\($0.key)=\($0.value)" }.joined()
        let addresses = request.addresses.map { " ipv4:\($0)" }.joined()
        lines.append("drbdsetup-84 net-options\(addresses) --set-defaults\(options)")
      }
    } else {
      lines.append(connect)
    }
    return Answer(output: lines.map { $0 + "\n" }.joined())
  }
}
