#!/usr/bin/env python3
"""Plays *.scenario to a real tgtd and writes what its tgtadm answered to *.jsonl; see README.md.

Usage: record.py [--check] [SCENARIO...]      as root, with Debian's packages tgt and util-linux
"""
import json, os, shlex, shutil, socket, struct, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
PORTAL = "127.0.0.1:13260"


class Initiator:
    """An iSCSI session that stays open, without a kernel: one login request, then one command at a time."""

    def __init__(self, address, port, name, target, alias=None, cid=0, isid=1):
        self.socket = socket.create_connection((address, port), timeout=10)
        self.command, self.status = 1, 0
        keys = [f"InitiatorName={name}", f"TargetName={target}", "SessionType=Normal"]
        if alias:
            keys.append(f"InitiatorAlias={alias}")
        data = b"".join(key.encode() + b"\0" for key in keys)
        header = struct.pack(">BBHBBH6sHIHHII16x", 0x43, 0x87, 0, 0, 0, 0,
                             bytes([0x40, 0, 0, 0, 0, isid]), 0, 1, cid, 0, self.command, 0)
        self.send(header, data)
        answer = self.receive()
        if answer is None:
            self.result = "closed"
        else:
            status = struct.unpack(">H", answer[0][36:38])[0]
            self.result = f"{status:04x}"

    def send(self, header, data=b""):
        header = header[:5] + len(data).to_bytes(3, "big") + header[8:]
        self.socket.sendall(header + data + b"\0" * (-len(data) % 4))

    def exactly(self, count):
        data = b""
        while len(data) < count:
            try:
                piece = self.socket.recv(count - len(data))
            except ConnectionResetError:
                return None
            if not piece:
                return None
            data += piece
        return data

    def receive(self):
        header = self.exactly(48)
        if header is None:
            return None
        length = int.from_bytes(header[5:8], "big")
        data = self.exactly(length + -length % 4) if length else b""
        self.status = struct.unpack(">I", header[24:28])[0]
        return header, data

    def scsi(self, lun, block, length, data=b""):
        """One command; its SCSI status."""
        flags = 0x80 | (0x20 if data else 0x40 if length else 0) | 0x01
        self.command += 1
        header = struct.pack(">BBHBBH8sIIII16s", 0x01, flags, 0, 0, 0, 0, bytes([0, lun]) + bytes(6),
                             self.command, len(data) or length, self.command - 1, self.status + 1,
                             block + bytes(16 - len(block)))
        self.send(header, data)
        while True:
            answer = self.receive()
            if answer is None:
                raise SystemExit("the session ended during a command")
            opcode = answer[0][0] & 0x3F
            if opcode == 0x21 or (opcode == 0x25 and answer[0][1] & 1):
                return answer[0][3]

    def clear_attention(self, lun):
        """Until the unit attention of a new session has been told."""
        while self.scsi(lun, b"\0" * 6, 0):
            pass


class Recorder:
    def __init__(self, scenario):
        self.scenario, self.lines, self.section = scenario, [], None
        self.directory = os.path.realpath(tempfile.mkdtemp(prefix="stgt-"))
        self.environment = dict(os.environ, TGT_IPC_SOCKET=self.directory + "/socket", LC_ALL="C")
        self.daemon, self.sessions, self.undo = None, {}, []

    def write(self, **entry):
        line = {"seq": len(self.lines) + 1}
        if self.section:
            line["section"] = self.section
        line.update(entry)
        self.lines.append(json.dumps(line).replace(self.directory, "$DIR"))

    def start(self, *options):
        options = options or ("--iscsi", "portal=" + PORTAL)
        log = open(self.directory + "/log", "ab")
        self.daemon = subprocess.Popen(["tgtd", "-f", *options], env=self.environment, stdout=log, stderr=log)
        for _ in range(100):
            if subprocess.run(["tgtadm", "-m", "system", "-o", "show"], env=self.environment,
                              capture_output=True).returncode == 0:
                break
            time.sleep(0.05)
        else:
            raise SystemExit("tgtd does not start: see " + self.directory + "/log")
        self.write(op="start", argv=["tgtd", *options])

    def stop(self):
        if self.daemon and self.daemon.poll() is None:
            self.daemon.kill()  # SIGTERM does not end a tgtd that has targets
        if self.daemon:
            self.daemon.wait()
        self.daemon = None

    def execute(self, argv):
        try:
            result = subprocess.run(argv, env=self.environment, capture_output=True, timeout=5)
            self.write(op="exec", argv=argv, exit=result.returncode, stdout=result.stdout.decode(),
                       stderr=result.stderr.decode())
        except subprocess.TimeoutExpired:
            self.write(op="exec", argv=argv, exit=None, stdout="", stderr="", note="killed after 5 s")

    def login(self, name, initiator, target, options):
        address = options.get("address", "127.0.0.1")
        session = Initiator(address, int(options.get("port", PORTAL.rsplit(":", 1)[1])), initiator, target,
                            options.get("alias"), int(options.get("cid", 0)), len(self.lines) % 255 + 1)
        self.sessions[name] = session
        self.write(op="login", session=name, initiator=initiator, target=target, address=address,
                   alias=options.get("alias"), cid=int(options.get("cid", 0)), result=session.result)

    def step(self, line):
        if line.startswith("== "):
            self.section = line[3:]
            return
        # $DIR stands for the scenario's own directory.
        words = [word.replace("$DIR", self.directory) for word in shlex.split(line)]
        verb, rest = words[0], words[1:]
        path = rest and os.path.join(self.directory, rest[0])
        if verb == "tgtadm":
            self.execute(words)
        elif verb == "file":  # NAME BYTES
            with open(path, "wb") as file:
                file.truncate(int(rest[1]))
            self.write(op="file", path=path, size=int(rest[1]))
        elif verb == "directory":  # NAME
            os.mkdir(path)
            self.write(op="directory", path=path)
        elif verb == "readonly":  # NAME BYTES: a file in a file system that is mounted read-only
            mount = os.path.dirname(path)
            os.mkdir(mount)
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", mount], check=True)
            self.undo.append(["umount", "-l", mount])
            with open(path, "wb") as file:
                file.truncate(int(rest[1]))
            subprocess.run(["mount", "-o", "remount,ro", mount], check=True)
            self.write(op="file", path=path, size=int(rest[1]), access="readOnly")
        elif verb == "device":  # NAME BYTES: a link to a loop device
            with open(path + ".img", "wb") as file:
                file.truncate(int(rest[1]))
            loop = subprocess.run(["losetup", "-f", "--show", path + ".img"], check=True, capture_output=True,
                                  text=True).stdout.strip()
            self.undo.append(["losetup", "-d", loop])
            os.symlink(loop, path)
            self.write(op="device", path=path, size=int(rest[1]))
        elif verb == "remove":  # NAME
            os.remove(path)
            self.write(op="remove", path=path)
        elif verb == "login":  # SESSION INITIATOR TARGET [address=A] [port=N] [alias=A] [cid=N]
            self.login(*rest[:3], dict(word.split("=", 1) for word in rest[3:]))
        elif verb == "logout":  # SESSION: the connection is cut
            self.sessions.pop(rest[0]).socket.close()
            time.sleep(0.3)
            self.write(op="logout", session=rest[0])
        elif verb in ("read", "write"):  # SESSION LUN BLOCKS
            session, lun, blocks = self.sessions[rest[0]], int(rest[1]), int(rest[2])
            block = struct.pack(">BBIBHB", 0x28 if verb == "read" else 0x2A, 0, 0, 0, blocks, 0)
            session.clear_attention(lun)
            length = blocks * 512
            status = session.scsi(lun, block, length, b"\0" * length if verb == "write" else b"")
            assert status == 0, f"{line}: SCSI status {status}"
            self.write(op=verb, session=rest[0], lun=lun, bytes=length)
        elif verb == "prevent":  # SESSION LUN 0|1
            session = self.sessions[rest[0]]
            session.clear_attention(int(rest[1]))
            assert session.scsi(int(rest[1]), bytes([0x1E, 0, 0, 0, int(rest[2]), 0]), 0) == 0, line
            self.write(op="prevent", session=rest[0], lun=int(rest[1]), on=rest[2] == "1")
        elif verb == "died":  # waits for the daemon's own end
            self.daemon.wait(timeout=10)
            self.write(op="died", signal=-self.daemon.returncode if self.daemon.returncode < 0 else None)
        elif verb == "kill":
            self.stop()
            self.write(op="kill")
        elif verb == "start":  # [OPTION...]
            self.start(*rest)
        else:
            raise SystemExit(f"{self.scenario}: what is {verb}?")

    def record(self):
        try:
            for line in open(self.scenario):
                if line.strip() and not line.startswith("#"):
                    self.step(line.strip())
        finally:
            self.stop()
            for command in reversed(self.undo):
                subprocess.run(command)
        shutil.rmtree(self.directory)
        return "".join(line + "\n" for line in self.lines)


def main():
    check = "--check" in sys.argv[1:]
    names = [name for name in sys.argv[1:] if name != "--check"]
    names = names or sorted(name for name in os.listdir(HERE) if name.endswith(".scenario"))
    for name in names:
        source = os.path.join(HERE, os.path.basename(name))
        made = source.removesuffix(".scenario") + ".jsonl"
        text = Recorder(source).record()
        if check:
            same = open(made).read() == text
            print(f"{os.path.basename(made)}: {'same' if same else 'differs'}")
        else:
            with open(made, "w") as file:
                file.write(text)


main()
