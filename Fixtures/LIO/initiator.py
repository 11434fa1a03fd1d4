"""An iSCSI session that stays open, without a kernel: one command at a time, and no more than LIO asks for."""
import hashlib, os, re, socket, struct

# What the initiator answers to keys that the target offers: the target's own value, except for these.
ANSWERS = {"HeaderDigest": "None", "DataDigest": "None"}
OPERATIONAL = {
    "HeaderDigest": "None", "DataDigest": "None", "MaxConnections": "1", "InitialR2T": "Yes", "ImmediateData": "Yes",
    "MaxRecvDataSegmentLength": "8192", "MaxBurstLength": "262144", "FirstBurstLength": "65536",
    "DefaultTime2Wait": "2", "DefaultTime2Retain": "0", "MaxOutstandingR2T": "1", "DataPDUInOrder": "Yes",
    "DataSequenceInOrder": "Yes", "ErrorRecoveryLevel": "0",
}


class Initiator:
    """`result` is the login's status class and detail (RFC 7143 section 11.13.5), or `closed`."""

    def __init__(self, address, port, name, target, user=None, secret=None, mutual=None, isid=1):
        self.socket = socket.create_connection((address, port), timeout=20)
        self.isid, self.tsih, self.command, self.stat = isid, 0, 1, 0
        self.mutual, self.proof = mutual, None
        first = {"InitiatorName": name, "SessionType": "Normal" if target else "Discovery"}
        if target:
            first["TargetName"] = target
        try:
            self.result = self.log_in(first, user, secret)
        except (ConnectionError, socket.timeout):
            self.result = "closed"

    def log_in(self, first, user, secret):
        status, keys, stage = self.ask(0, 1, {**first, "AuthMethod": "CHAP,None" if user else "None"})
        if status:
            return f"{status:04x}"
        if user and keys.get("AuthMethod") == "CHAP":
            status, keys, _ = self.ask(0, 1, {"CHAP_A": "5"}, transit=False)
            if status:
                return f"{status:04x}"
            identifier, challenge = int(keys["CHAP_I"]), bytes.fromhex(keys["CHAP_C"][2:])
            digest = hashlib.md5(bytes([identifier]) + secret.encode() + challenge).hexdigest()
            answer = {"CHAP_N": user, "CHAP_R": "0x" + digest}
            if self.mutual:
                mine = os.urandom(16)
                answer.update(CHAP_I="77", CHAP_C="0x" + mine.hex())
            status, keys, stage = self.ask(0, 1, answer)
            if status:
                return f"{status:04x}"
            if self.mutual:
                wanted = hashlib.md5(bytes([77]) + self.mutual.encode() + mine).hexdigest()
                self.proof = keys.get("CHAP_N", "") + (" right" if keys.get("CHAP_R", "")[2:].lower() == wanted
                                                       else " wrong")
        keys = OPERATIONAL
        for _ in range(5):
            status, offered, stage = self.ask(1, 3, keys)
            if status or stage == 3:
                return f"{status:04x}"
            keys = {key: ANSWERS.get(key, value) for key, value in offered.items() if key not in OPERATIONAL}
        return "endless"

    def ask(self, current, following, keys, transit=True):
        """One login request; its status, the target's keys, and the stage that it goes to."""
        data = b"".join(f"{key}={value}".encode() + b"\0" for key, value in keys.items())
        flags = (0x80 if transit else 0) | current << 2 | following
        header = struct.pack(">BBHBBH6sHIHHII16x", 0x43, flags, 0, 0, 0, 0, bytes([0x40, 0, 0, 0, 0, self.isid]),
                             self.tsih, 1, 0, 0, self.command, self.stat)
        self.send(header, data)
        answer, text = self.receive()
        if answer[0] & 0x3F != 0x23:
            return 0xFFFF, {}, None
        self.tsih = struct.unpack(">H", answer[14:16])[0]
        pairs = [pair.split("=", 1) for pair in text.decode().split("\0") if "=" in pair]
        stage = answer[1] & 3 if answer[1] & 0x80 else current
        return struct.unpack(">H", answer[36:38])[0], dict(pairs), stage

    def send(self, header, data=b""):
        header = header[:5] + len(data).to_bytes(3, "big") + header[8:]
        self.socket.sendall(header + data + b"\0" * (-len(data) % 4))

    def exactly(self, count):
        data = b""
        while len(data) < count:
            piece = self.socket.recv(count - len(data))
            if not piece:
                raise ConnectionResetError
            data += piece
        return data

    def receive(self):
        header = self.exactly(48)
        length = int.from_bytes(header[5:8], "big")
        data = self.exactly(length + -length % 4)[:length]
        self.stat = struct.unpack(">I", header[24:28])[0] + 1
        return header, data

    def scsi(self, lun, block, length=0, data=b""):
        """One command; its SCSI status and what it brought."""
        flags = 0x80 | (0x20 if data else 0x40 if length else 0) | 0x01
        header = struct.pack(">BBHBBH8sIIII16s", 0x01, flags, 0, 0, 0, 0, struct.pack(">H6x", lun),
                             self.command + 1, len(data) or length, self.command, self.stat,
                             block + bytes(16 - len(block)))
        self.command += 1
        self.send(header, data)
        brought = b""
        while True:
            answer, piece = self.receive()
            opcode = answer[0] & 0x3F
            if opcode == 0x25:
                brought += piece
            if opcode == 0x21 or (opcode == 0x25 and answer[1] & 1):
                # Sense data (SPC-4 section 4.5.3): the key, and the additional sense code with its qualifier.
                sense = piece[2:] if answer[3] == 2 else b""
                self.sense = f"{sense[2] & 15:x}/{sense[12]:02x}/{sense[13]:02x}" if len(sense) > 13 else None
                return answer[3], brought

    def log_out(self):
        """Closes the session as RFC 7143 section 11.14 says, and the connection with it."""
        header = struct.pack(">BBHBBH8xIIII16x", 0x46, 0x80, 0, 0, 0, 0, self.command + 1, 0, self.command, self.stat)
        try:
            self.send(header)
            while (self.receive()[0][0] & 0x3F) != 0x26:
                pass
        except (ConnectionError, socket.timeout):
            pass
        self.socket.close()

    def clear_attention(self, lun):
        """Until the unit attentions that wait have been told."""
        for _ in range(10):
            if self.scsi(lun, b"\0" * 6)[0] != 2:
                return

    def is_open(self):
        """Whether the target still keeps the connection."""
        self.socket.settimeout(0.5)
        try:
            while self.socket.recv(4096):
                pass
            return False
        except socket.timeout:
            return True
        except ConnectionError:
            return False
        finally:
            self.socket.settimeout(20)

    def targets(self):
        """What discovery tells, in its order."""
        data = b"SendTargets=All\0"
        header = struct.pack(">BBHBBH8xIIIII12x", 0x44, 0x80, 0, 0, 0, 0, 2, 0xFFFFFFFF, self.command, self.stat, 0)
        self.send(header, data)
        _, text = self.receive()
        return [re.sub("^TargetAddress=", "  ", re.sub("^TargetName=", "", word))
                for word in text.decode().split("\0") if word]
