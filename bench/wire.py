"""How many commands one own reset by TOTP sends to PostgreSQL, counted by a relay on loopback.

A command is what the client waits for: a simple query, or a Sync behind a statement. Those count as
not prepared whose statement is parsed for them, and simple queries. BEGIN and its like do not, as
they cannot be prepared.
"""

import socket
import socketserver
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

from sqlalchemy import create_engine

from tests.kit.client import Client
from tests.kit.postgres import Postgres, execute

from .contests import BY_HAND, HAND, OURS, RESET, SECRET, settings
from .facts import RESET_PATH
from .gunicorn import Server, serving
from .people import Call, calls_with_codes, fill, make_known, spread

WARM_UP, COUNTED = 30, 20
SSL, GSS = 80877103, 80877104  # what a client asks for before it starts
TRANSACTION = (b"BEGIN", b"COMMIT", b"ROLLBACK", b"START", b"SAVEPOINT", b"RELEASE")


class Messages:
    """Cuts what a client sends into messages: the kind of each, and its body."""

    def __init__(self) -> None:
        self._data, self._started = b"", False

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The messages that are whole now; none of a start."""
        self._data += data
        while True:
            head = int(self._started)  # a start has no kind
            if len(self._data) < head + 4:
                return
            length = int.from_bytes(self._data[head : head + 4])
            if len(self._data) < head + length:
                return
            kind, body = self._data[:head], self._data[head + 4 : head + length]
            self._data = self._data[head + length :]
            if self._started:
                yield kind, body
            else:
                self._started = int.from_bytes(body[:4]) not in (SSL, GSS)


@dataclass(slots=True)
class Commands:
    """How many there were, and how many of them were not prepared."""

    all: float = 0
    unprepared: float = 0

    def note(self, kind: bytes, body: bytes) -> None:
        """Count a message."""
        self.all += kind in (b"Q", b"S")
        text = body.strip(b"\0 ").upper()
        self.unprepared += kind == b"P" or (kind == b"Q" and not text.startswith(TRANSACTION))


class Wire(socketserver.ThreadingTCPServer):
    """A way to the PostgreSQL of this port that counts what goes there."""

    daemon_threads = True

    def __init__(self, upstream: int) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.upstream, self.commands = upstream, Commands()

    @contextmanager
    def open(self) -> Iterator[int]:
        """Its own port, until the end of the block."""
        thread = Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield self.server_address[1]
        finally:
            self.shutdown()
            thread.join()
            self.server_close()


class _Connection(socketserver.BaseRequestHandler):
    server: Wire

    def handle(self) -> None:
        messages = Messages()
        with socket.create_connection(("127.0.0.1", self.server.upstream)) as there:
            back = Thread(target=_pump, args=(there, self.request), daemon=True)
            back.start()
            for data in iter(lambda: self.request.recv(65536), b""):
                for kind, body in messages.feed(data):
                    self.server.commands.note(kind, body)
                there.sendall(data)
            there.shutdown(socket.SHUT_WR)
            back.join()


def _pump(one: socket.socket, other: socket.socket) -> None:
    for data in iter(lambda: one.recv(65536), b""):
        other.sendall(data)


def count(server: Postgres, folder: Path) -> dict[str, Commands]:
    """The commands of a reset, ours and by hand, each over one connection that is warm."""
    execute(server.uri(), "CREATE DATABASE wire")
    uri, people = server.uri("wire"), 2 * (WARM_UP + COUNTED)
    fill(uri, people)
    users, engine = spread(people, people), create_engine(uri)
    with engine.begin() as connection:
        make_known(connection, users)
    engine.dispose()
    calls, wire = calls_with_codes(users), Wire(server.port)
    with wire.open() as port:
        there = uri.replace(f":{server.port}/", f":{port}/")
        ours = settings(there, folder)
        by_hand = SECRET | {"BENCH_DATABASE": there.replace("+psycopg", "")}
        return {
            RESET: _count(wire, serving(OURS, ours, folder, 1, 1), calls[::2]),
            BY_HAND: _count(wire, serving(HAND, by_hand, folder, 1, 1), calls[1::2]),
        }


def _count(wire: Wire, served: AbstractContextManager[Server], calls: list[Call]) -> Commands:
    with served as server:
        client: Any = Client(server.port)
        for number, call in enumerate(calls):
            if number == WARM_UP:
                wire.commands = Commands()
            answer = client.call("POST", RESET_PATH, call.headers)
            if answer.status != 200:
                raise RuntimeError(f"Not 200: {answer}")
        found = wire.commands
    return Commands(found.all / COUNTED, found.unprepared / COUNTED)
