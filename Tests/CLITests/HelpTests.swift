import HostInterface
import Testing

struct HelpTests {
  static let commands: [[String]] =
    [["apply"], ["diff"], ["export"], ["schema"], ["implementations"], ["start"]]
    + [
      "target": ["list", "show", "create", "delete", "enable", "disable", "set"],
      "lun": ["list", "add", "remove", "resize", "set"], "access": ["allow", "deny", "list"],
      "chap": ["set", "clear"], "portal": ["list", "add", "remove"], "session": ["list", "close"],
      "pool": [
        "list", "map", "create", "remove", "create-volume", "extend-volume", "reduce-volume", "rename-volume",
        "remove-volume", "serve", "stop", "attach-leg", "detach-leg", "replace-leg", "verify", "move-segment",
        "set",
      ],
      "volume": ["status", "attach", "detach"],
    ].sorted { $0.key < $1.key }.flatMap { group, names in names.map { [group, $0] } }

  @Test(arguments: commands)
  func everyCommandHasHelpWithAnExample(command: [String]) async throws {
    try await withWorkbench(daemon: false) { bench in
      let help = try await bench.quartet(command + ["--help"])
      #expect(help.status == 0)
      #expect(help.output.contains("EXAMPLE"))
      #expect(help.output.contains("quartet " + command.joined(separator: " ")))
    }
  }

  @Test(arguments: ["bash", "zsh", "fish"])
  func completionScriptsAreMade(shell: String) async throws {
    try await withWorkbench(daemon: false) { bench in
      let script = try await bench.quartet("--generate-completion-script", shell)
      #expect(script.status == 0 && script.output.contains("quartet"))
    }
  }

  @Test func theVersionAndTheSchemaArePrinted() async throws {
    try await withWorkbench(daemon: false) { bench in
      let version = try await bench.quartet("--version").output
      #expect(version.hasPrefix("quartet "))
      let schema = try await bench.quartet("schema").output
      #expect(schema.contains("json-schema.org"))
    }
  }
}
