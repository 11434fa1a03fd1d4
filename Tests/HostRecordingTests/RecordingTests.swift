import HostInterface
import HostRecording
import SystemPackage
import Testing

private let secret = "0123456789abcdef"
private let names = ["/tmp/run-17": "$RUN"]

@Suite struct RecordingTests {
  private func recorded() async throws -> (transcript: Transcript, answers: [String]) {
    let recorder = RecordingHost(FakeHost(), masking: [Array(secret.utf8)], naming: names)
    recorder.begin(section: "everything")
    recorder.note("in /tmp/run-17")
    let answers = await everything(recorder, secret: secret)
    return (recorder.transcript, answers)
  }

  @Test func theRecordingHostAnswersAsTheHostItself() async throws {
    #expect(try await recorded().answers == everything(FakeHost(), secret: secret))
  }

  @Test func aReplayAnswersAsTheHostDid() async throws {
    let (transcript, answers) = try await recorded()
    let again = try Transcript(text: transcript.text)
    #expect(again == transcript)
    let replay = ReplayHost(again, masking: [Array(secret.utf8)], naming: names)
    #expect(await everything(replay, secret: secret) == answers)
    #expect(replay.remaining == [])
  }

  @Test func entriesAreNumberedAndHeaded() async throws {
    let transcript = try await recorded().transcript
    #expect(transcript.entries.map(\.seq) == Array(1...transcript.entries.count))
    #expect(transcript.entries.allSatisfy { $0.section == "everything" })
    #expect(transcript.entries.first?.text == "in $RUN")
  }

  @Test func secretsAndPathsOfTheRunAreNotInIt() async throws {
    let text = try await recorded().transcript.text
    #expect(!text.contains(secret) && !text.contains("run-17"))
    #expect(text.contains("add ****************\\n") && text.contains("$RUN/socket"))
  }

  @Test func secretsInRequestsAndReplaysAreHiddenAtTheirLength() async throws {
    let recorder = RecordingHost(FakeHost(), masking: [[0xaa, 0xbb]])
    let replied = try await recorder.exchange(
      [1, 0xaa, 0xbb, 2], with: "/s", lengthOffset: 0, limit: .seconds(1))
    #expect(replied == [1, 1, 0xaa, 0xbb, 2])
    let entry = try #require(recorder.transcript.entries.first)
    #expect(entry.request == "012a2a02" && entry.reply == "01012a2a02")
    let replay = ReplayHost(recorder.transcript, masking: [[0xaa, 0xbb]])
    let again = try await replay.exchange(
      [1, 0xaa, 0xbb, 2], with: "/s", lengthOffset: 0, limit: .seconds(1))
    #expect(again == [1, 1, 42, 42, 2])
  }

  @Test func aRunIsReplayedElsewhere() async throws {
    let recorder = RecordingHost(FakeHost(), naming: names)
    #expect(try recorder.text("/etc/conf") == "backing /tmp/run-17/disk\n")
    try recorder.createDirectory("/tmp/run-17/d")
    let replay = ReplayHost(recorder.transcript, naming: ["/elsewhere": "$RUN"])
    #expect(try replay.text("/etc/conf") == "backing /elsewhere/disk\n")
    try replay.createDirectory("/elsewhere/d")
  }
}
