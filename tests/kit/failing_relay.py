"""A mail relay that fails in the way that it is told to, at the step that it is told to."""

import socket
import socketserver
import struct
import time
from email import message_from_bytes
from email.policy import default

CODES = {"EHLO": b"250 relay", "MAIL": b"250 OK", "RCPT": b"250 OK", "RSET": b"250 OK"}
CODES |= {"DATA": b"354 go on", "BODY": b"250 OK", "QUIT": b"221 bye"}


class FailingRelay(socketserver.ThreadingTCPServer):
    """Set `fault` to what happens at each step: a function of the dialogue and the step's name."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port):
        super().__init__(("127.0.0.1", port), Dialogue)
        self.accepted, self.tried, self.fault = [], 0, healthy

    def ids(self, subject):
        """The ids of the accepted mails with this in their subject, as often as they came."""
        return [m["Message-ID"] for m in self.accepted if subject in m["Subject"].lower()]


class Dialogue(socketserver.StreamRequestHandler):
    """One connection."""

    def handle(self):
        self.server.tried += 1
        try:
            self.say(b"220 relay")
            while word := self.rfile.readline().split(b" ")[0].strip().decode().upper():
                self._step(word)
        except (ConnectionError, ValueError):
            return

    def _step(self, word):
        self.server.fault(self, word)
        self.say(CODES[word])
        if word == "DATA":
            self._take()
        if word == "QUIT":
            raise ConnectionError

    def _take(self):
        lines = []
        for line in self.rfile:
            if line == b".\r\n":
                break
            lines.append(line)
            self.server.fault(self, "LINE")
        else:
            raise ConnectionError
        try:
            self.server.fault(self, "BODY")
        except Refused:
            return
        self.server.accepted.append(message_from_bytes(b"".join(lines), policy=default))
        self.server.fault(self, "ANSWER")
        self.say(CODES["BODY"])

    def say(self, words):
        self.wfile.write(words + b"\r\n")

    def reset(self):
        """End the connection by a TCP reset."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()
        raise ConnectionError


class Refused(Exception):
    """The mail was refused; the dialogue goes on."""


def healthy(_dialogue, _step):
    """Take everything."""


def dribbling(dialogue, step):
    """Answer each step a byte at a time."""
    if step in CODES:
        for digit in CODES[step][:3]:
            dialogue.wfile.write(bytes([digit]))
            time.sleep(0.1)
        dialogue.wfile.write(b"-slowly\r\n")


def refusing(step, words):
    """Refuse the mail at this step with these words."""

    def fault(dialogue, here):
        if here == step:
            dialogue.say(words)
            raise Refused if step == "BODY" else ConnectionError

    return fault


def dropping(step):
    """Reset the connection at this step."""

    def fault(dialogue, here):
        if here == step:
            dialogue.reset()

    return fault
