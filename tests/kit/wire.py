"""Requests as bytes, past every client that would refuse to send them, and what must hold."""

import io
import json
import socket
from contextlib import closing, suppress

from werkzeug.test import create_environ

NAMES = ("userId", "username", "user", "emailOrUsername", "password", "resume", "totp", "code")
NAMES += ("public_key", "private_key", "force", "login", "digest", "algorithm", "id", "email")
HEADERS = ("X-User-Id", "X-Auth-Token", "X-2fa-Code", "X-2fa-Method", "User-Agent", "Cookie")
HEADERS += ("Origin", "Sec-Fetch-Site", "Content-Encoding", "Authorization")
HEADERS += ("X-Forwarded-For", "Accept", "Range", "If-None-Match", "Transfer-Encoding", "Host")
TYPES = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data", "")
TYPES += ("application/json; charset=utf-16", "multipart/form-data; boundary=x", "text/plain")


def send_raw(app, method, path, *, headers, body=b"", query="", kind="", announced=None):
    """The status of the answer, which has to be sound whatever the request is."""
    announced = len(body) if announced is None else announced
    environ = create_environ() | {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": str(announced),
        "CONTENT_TYPE": kind,
        "wsgi.input": io.BytesIO(body),
    }
    del environ["HTTP_HOST"]
    environ |= {f"HTTP_{name.upper().replace('-', '_')}": v for name, v in headers.items()}
    seen = []
    answer = b"".join(app(environ, lambda status, sent: seen.append((status, sent))))
    status, sent = int(seen[0][0][:3]), dict(seen[0][1])
    assert 200 <= status < 500, (status, answer)
    assert not 300 <= status < 400, (status, sent)
    assert sent["Content-Type"] == "application/json", sent
    assert sent["Cache-Control"] == "no-store", sent
    assert json.loads(answer)["success"] is (status == 200), answer
    return status


def open_socket(port):
    return closing(socket.create_connection(("127.0.0.1", port), timeout=20))


def read_all(sock):
    """All that comes until the server ends the connection."""
    found = b""
    with suppress(ConnectionResetError):
        while piece := sock.recv(65536):
            found += piece
    return found


def ask_raw(port, raw, *, half_close=False):
    """(status, headers, body) of the answer to these bytes, after which the connection ended."""
    with open_socket(port) as sock:
        sock.sendall(raw)
        if half_close:
            sock.shutdown(socket.SHUT_WR)
        head, _, body = read_all(sock).partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    return int(lines[0].split()[1]), headers, json.loads(body)


def assert_enveloped(answer, status):
    """It has this status and is in the envelope; its headers and its body."""
    found, headers, body = answer
    assert (found, body["success"]) == (status, status == 200)
    assert headers["content-type"] == "application/json"
    assert headers["cache-control"] == "no-store"
    assert "location" not in headers
    return headers, body
