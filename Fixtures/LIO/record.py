#!/usr/bin/env python3
"""Plays a scenario to the kernel's LIO and writes what it answered to a .jsonl; see README.md.

Usage: record.py FOLDER NAME.scenario      as root, in a virtual machine that has just been started
"""
import errno, json, os, re, shlex, shutil, stat, subprocess, sys, time
from initiator import Initiator

HERE = os.path.dirname(os.path.abspath(__file__))
CONFIG, WORK = "/sys/kernel/config", "/srv/lio"
NAMES = {
    "$CORE": CONFIG + "/target/core", "$ISCSI": CONFIG + "/target/iscsi", "$ROOT": CONFIG + "/target",
    "$T1": CONFIG + "/target/iscsi/iqn.2011-12.com.example:disk1",
    "$T2": CONFIG + "/target/iscsi/iqn.2011-12.com.example:disk2", "$CONFIG": CONFIG,
    "$ONE": "iqn.1993-08.org.debian:01:one", "$TWO": "iqn.1993-08.org.debian:01:two", "$DIR": WORK,
}
# What differs from run to run, in a result of a path.
VOLATILE = [(r"/info$", r"(StatSN: ) ?\S+", r"\1*"), (r"/cpus_allowed_list$", ".+", "0-1"),
            (r"/creation_time$", r"\d+", "0")]


def named(number):
    return errno.errorcode.get(number, str(number))


class Recorder:
    def __init__(self, scenario):
        self.scenario, self.lines, self.section, self.sessions = scenario, [], None, {}

    def entry(self, op, **fields):
        line = {"seq": len(self.lines) + 1}
        if self.section:
            line["section"] = self.section
        self.lines.append(json.dumps({**line, "op": op, **fields}))

    # Requests

    def attempt(self, op, body, **fields):
        """One system call, with its error number where it fails."""
        try:
            result = body()
        except OSError as error:
            self.entry(op, **fields, errno=getattr(error, "place", "") + named(error.errno))
            return None
        self.entry(op, **fields, **({} if result is None else {"result": result}))
        return result

    def opened(self, path, flags):
        try:
            return os.open(path, flags)
        except OSError as error:
            error.place = "open:"
            raise

    def written(self, path, data):
        file = self.opened(path, os.O_WRONLY)
        try:
            count = os.write(file, data.encode())
            assert count == len(data.encode()), (path, data, count)
        finally:
            os.close(file)

    def content(self, path):
        file = self.opened(path, os.O_RDONLY)
        try:
            data = b""
            while piece := os.read(file, 65536):
                data += piece
        finally:
            os.close(file)
        text = data.decode()
        for where, what, instead in VOLATILE:
            if re.search(where, path):
                text = re.sub(what, instead, text)
        return text

    def names(self, path):
        def shown(name):
            whole = os.path.join(path, name)
            mode = os.lstat(whole).st_mode
            if stat.S_ISLNK(mode):
                return f"{name}@ -> {os.readlink(whole)}"
            return name + ("/" if stat.S_ISDIR(mode) else "")
        return [shown(name) for name in sorted(os.listdir(path), key=str.encode)]

    def read(self, path):
        self.attempt("read", lambda: self.content(path), path=path)

    def list(self, path):
        return self.attempt("list", lambda: self.names(path), path=path)

    def write(self, path, data):
        self.attempt("write", lambda: self.written(path, data), path=path, data=data)

    def show(self, path, deep):
        """A directory and its files; with `deep` all that is below but counters."""
        for name in self.list(path) or []:
            whole = os.path.join(path, name)
            if name.endswith("/"):
                if deep and name not in ("statistics/", "fabric_statistics/"):
                    self.show(whole[:-1], deep)
            elif "@ -> " in name:
                link = os.path.join(path, name.split("@ -> ")[0])
                self.attempt("readlink", lambda: os.readlink(link), path=link)
            else:
                self.read(whole)

    # Steps

    def step(self, line):
        if line.startswith("== "):
            self.section = line[3:]
            return
        words = []
        for word in shlex.split(line):
            for name, value in NAMES.items():
                word = word.replace(name, value)
            words.append(word)
        verb, rest = words[0], words[1:]
        path = rest[0] if rest else None
        if verb == "mkdir":
            for path in rest:
                self.attempt("mkdir", lambda: os.mkdir(path), path=path)
        elif verb == "rmdir":
            for path in rest:
                self.attempt("rmdir", lambda: os.rmdir(path), path=path)
        elif verb == "unlink":
            self.attempt("unlink", lambda: os.unlink(path), path=path)
        elif verb == "link":  # PATH DESTINATION
            self.attempt("symlink", lambda: os.symlink(rest[1], path), path=path, target=rest[1])
        elif verb == "write":  # PATH WORD: with a newline behind it
            self.write(path, " ".join(rest[1:]) + "\n")
        elif verb == "put":  # PATH WORD: without one
            self.write(path, " ".join(rest[1:]))
        elif verb == "try":  # PATH WORD...: each written, and read back
            for word in rest[1:]:
                self.write(path, word + "\n")
                self.read(path)
        elif verb == "read":
            for path in rest:
                self.read(path)
        elif verb == "list":
            self.list(path)
        elif verb == "status":
            kinds = {stat.S_IFDIR: "directory", stat.S_IFREG: "file", stat.S_IFBLK: "blockDevice"}
            for path in rest:
                found = os.stat(path) if os.path.exists(path) else None
                told = found and {"kind": kinds[stat.S_IFMT(found.st_mode)], "size": 4096, "identity": path}
                self.entry("status", path=path, **({"status": told} if told else {}))
        elif verb in ("show", "tree"):
            self.show(path, verb == "tree")
        elif verb == "modprobe":
            code = subprocess.run(["modprobe", path], capture_output=True).returncode
            self.entry("modprobe", argv=[path], **({"errno": "ENOENT"} if code else {}))
        elif verb == "mount":  # configfs
            code = subprocess.run(["mount", "-t", "configfs", "configfs", CONFIG], capture_output=True, text=True)
            self.entry("exec", argv=["mount", "-t", "configfs", "configfs", CONFIG], exit=code.returncode,
                       stdout=code.stdout, stderr=code.stderr)
        else:
            self.other(verb, rest, line)

    def other(self, verb, rest, line):
        """What the test does besides, which has operations of its own."""
        path = rest[0] if rest else None
        if verb == "file":  # PATH BYTES
            with open(path, "ab") as file:
                file.truncate(int(rest[1]))
            self.entry("file", path=path, size=int(rest[1]))
        elif verb == "text":  # PATH TEXT
            with open(path, "w") as file:
                file.write(rest[1])
            self.entry("file", path=path, size=len(rest[1]), data=rest[1])
        elif verb == "directory":
            os.makedirs(path, exist_ok=True)
            self.entry("directory", path=path)
        elif verb == "remove":
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
            self.entry("remove", path=path)
        elif verb == "brd":  # COUNT KIB: /dev/ram0 and so on
            subprocess.run(["modprobe", "brd", "rd_nr=" + rest[0], "rd_size=" + rest[1]], check=True)
            for number in range(int(rest[0])):
                self.entry("device", path=f"/dev/ram{number}", size=int(rest[1]) * 1024)
        elif verb == "scsi_debug":
            subprocess.run(["modprobe", "sd_mod"], check=True)
            subprocess.run(["modprobe", "scsi_debug", "dev_size_mb=8"], check=True)
            time.sleep(2)
            adapter = subprocess.run("ls -d /sys/bus/pseudo/drivers/scsi_debug/adapter0/host*/target*/*:*:*:*",
                                     shell=True, check=True, capture_output=True, text=True).stdout.split()[0]
            address = os.path.basename(adapter)
            disk = os.listdir(adapter + "/block")[0]
            NAMES["$SCSI"], NAMES["$DISK"] = address, "/dev/" + disk
            host, channel, number, lun = address.split(":")
            NAMES["$ADDRESS"] = f"scsi_channel_id={channel},scsi_target_id={number},scsi_lun_id={lun}"
            NAMES["$HOST"] = host
            self.entry("device", path="/dev/" + disk, size=8 << 20, scsi=address)
        elif verb == "mounted":  # DEVICE: a file system on it, mounted
            subprocess.run(["mkfs.ext2", "-q", path], check=True)
            os.makedirs("/mnt/lio", exist_ok=True)
            subprocess.run(["mount", path, "/mnt/lio"], check=True)
            self.entry("mounted", path=path)
        elif verb == "unmounted":
            subprocess.run(["umount", "/mnt/lio"], check=True)
            self.entry("unmounted", path=path)
        elif verb in ("login", "discover"):
            self.log_in(verb, rest)
        elif verb == "logout":  # SESSION
            self.sessions.pop(path).log_out()
            time.sleep(1)
            self.entry("logout", session=path)
        elif verb == "cut":  # SESSION: its connection, without a word
            self.sessions.pop(path).socket.close()
            time.sleep(1)
            self.entry("cut", session=path)
        elif verb == "open":  # SESSION: whether the target keeps its connection
            time.sleep(0.5)
            self.entry("open", session=path, result=self.sessions[path].is_open())
        elif verb == "capacity":  # SESSION LUN: READ CAPACITY(16)
            self.sessions[path].clear_attention(int(rest[1]))
            status, data = self.sessions[path].scsi(int(rest[1]), bytes([0x9E, 0x10] + [0] * 11 + [32]), 32)
            last, block = int.from_bytes(data[:8], "big"), int.from_bytes(data[8:12], "big")
            self.entry("capacity", session=path, lun=int(rest[1]), status=status,
                       size=(last + 1) * block if not status else 0, block=block)
        elif verb == "inquiry":  # SESSION LUN [PAGE]
            page = [1, int(rest[2], 16)] if len(rest) > 2 else [0, 0]
            status, data = self.sessions[path].scsi(int(rest[1]), bytes([0x12] + page + [0, 255, 0]), 255)
            self.entry("inquiry", session=path, lun=int(rest[1]), page=rest[2] if len(rest) > 2 else None,
                       status=status, result=data.hex())
        elif verb == "blocks":  # SESSION LUN read|write: eight blocks
            session, lun = self.sessions[path], int(rest[1])
            session.clear_attention(lun)
            code = 0x28 if rest[2] == "read" else 0x2A
            command = bytes([code, 0, 0, 0, 0, 0, 0, 0, 8, 0])
            data = b"" if code == 0x28 else bytes(4096)
            self.entry("blocks", session=path, lun=lun, direction=rest[2],
                       status=session.scsi(lun, command, 4096, data)[0], sense=session.sense)
        elif verb == "register":  # SESSION LUN KEY [aptpl]: PERSISTENT RESERVE OUT, REGISTER AND IGNORE EXISTING KEY
            self.reserve(path, int(rest[1]), 6, 0, bytes(8) + int(rest[2], 16).to_bytes(8, "big")
                         + bytes([0, 0, 0, 0, 1 if "aptpl" in rest else 0, 0, 0, 0]), "register",
                         key=rest[2], aptpl="aptpl" in rest)
        elif verb == "reserve":  # SESSION LUN KEY TYPE
            self.reserve(path, int(rest[1]), 1, int(rest[3]), int(rest[2], 16).to_bytes(8, "big") + bytes(16),
                         "reserve", key=rest[2], type=int(rest[3]))
        elif verb == "command":  # a program of the machine: targetcli and the like
            code = subprocess.run(rest, capture_output=True, text=True)
            self.entry("command", argv=rest, exit=code.returncode, stdout=code.stdout, stderr=code.stderr)
        elif verb == "wait":
            time.sleep(float(path))
        else:
            raise SystemExit(f"{self.scenario}: what is {line}?")

    def log_in(self, verb, rest):
        """SESSION INITIATOR TARGET PORT [user=U secret=S mutual=S address=A], or for discovery without the target."""
        session, initiator = rest[:2]
        target = rest[2] if verb == "login" else None
        words = rest[3:] if verb == "login" else rest[2:]
        options = dict(word.split("=", 1) for word in words[1:])
        fields = dict(session=session, initiator=initiator, port=int(words[0]), **options)
        address = options.pop("address", "127.0.0.1")
        try:
            made = Initiator(address, int(words[0]), initiator, target, isid=len(self.sessions) + 1, **options)
        except ConnectionError:
            self.entry(verb, **fields, **({"target": target} if target else {}), result="refused")
            return
        self.sessions[session] = made
        if target:
            self.entry(verb, **fields, target=target, result=made.result,
                       **({"proof": made.proof} if made.proof else {}))
        else:
            self.entry(verb, **fields, result=made.result,
                       targets=made.targets() if made.result == "0000" else [])
            made.socket.close()

    def reserve(self, session, lun, action, kind, parameters, op, **fields):
        self.sessions[session].clear_attention(lun)
        block = bytes([0x5F, action, kind, 0, 0]) + len(parameters).to_bytes(4, "big") + bytes(1)
        status = self.sessions[session].scsi(lun, block, 0, parameters)[0]
        self.entry(op, session=session, lun=lun, **fields, status=status, sense=self.sessions[session].sense)

    # The whole

    def record(self):
        os.makedirs(WORK)
        try:
            for line in open(self.scenario):
                if line.strip() and not line.startswith("#"):
                    self.step(line.strip())
        finally:
            for session in self.sessions.values():
                session.socket.close()
        return "".join(line + "\n" for line in self.lines)


def main():
    if "target_core_mod " in open("/proc/modules").read():
        raise SystemExit("LIO is loaded here: a scenario wants a machine that has just been started, and to itself")
    output, name = sys.argv[1], os.path.basename(sys.argv[2])
    text = Recorder(os.path.join(HERE, name)).record()
    with open(os.path.join(output, name.removesuffix(".scenario") + ".jsonl"), "w") as file:
        file.write(text)


main()
