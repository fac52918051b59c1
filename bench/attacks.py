"""Attacks from one machine, and what the owners notice: `python -m bench.attacks`.

Two workers of four threads as `gunicorn.conf.py` starts them, on SQLite or on the database of
`--database`. The request rates are off, as if each request came from another address. A row says
how long `GET /me` took while owners used the server, and how long a whole reset took, the way of
the code to its owner included.
"""

import argparse
import multiprocessing
import secrets
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median, quantiles
from threading import Thread
from typing import Protocol

from .owners import Asking, Target, attacked_server

SOCKETS, FLOODERS = 48, 24
BETWEEN_BYTES = 0.5  # seconds
PAUSE, PAUSE_OF_RESETS = 0.02, 0.4
HEAD = "POST /api/v1/login HTTP/1.1\r\nHost: server\r\n"
BODY = f"{HEAD}Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n"


class Over(Protocol):
    """Set when an attack has to end."""

    def is_set(self) -> bool:
        """Whether it has."""

    def wait(self, timeout: float, /) -> bool:
        """Wait so many seconds; whether it has."""


Attack = Callable[[Target, Over], None]


def drip(start: str) -> Attack:
    """Hold sockets that each send this, and then one byte after another."""

    def attack(target: Target, over: Over) -> None:
        held: list[socket.socket] = []
        while not over.wait(BETWEEN_BYTES):
            held = [each for each in held if _sent(each, b"a")]
            while len(held) < SOCKETS:
                held.append(socket.create_connection(("127.0.0.1", target.port), 5))
                _sent(held[-1], start.encode())
        for each in held:
            each.close()

    return attack


def flood(path: str, body: Callable[[], dict[str, str]]) -> Attack:
    """Post to this route from many threads, each time another body."""

    def one(target: Target, over: Over) -> None:
        while not over.is_set():
            with suppress(OSError):
                target.ask("POST", path, body=body())

    def attack(target: Target, over: Over) -> None:
        threads = [Thread(target=one, args=(target, over)) for _ in range(FLOODERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return attack


ATTACKS: dict[str, Attack | None] = {
    "nothing": None,
    f"slow heads, {SOCKETS} sockets": drip(HEAD + "X-Slow: "),
    f"slow bodies, {SOCKETS} sockets": drip(BODY),
    f"sign-ins, {FLOODERS} at once": flood(
        "login", lambda: {"user": secrets.token_hex(4), "password": "wrong"}
    ),
    f"asking for codes, {FLOODERS} at once": flood(
        "users.2fa.sendEmailCode", lambda: {"emailOrUsername": secrets.token_hex(4)}
    ),
}


def measure(target: Target, attack: Attack | None, seconds: float) -> list[Asking]:
    """How long `/me`, resets by an app and resets by mail took under the attack."""
    witness = target.by_app.pop()
    with _under(target, attack):
        asking = [
            Asking(lambda: target.look(witness), PAUSE),
            Asking(target.reset_by_app, PAUSE_OF_RESETS),
            Asking(target.reset_by_mail, PAUSE_OF_RESETS),
        ]
        time.sleep(seconds)
        for each in asking:
            each.end()
    return asking


def row(asking: list[Asking]) -> str:
    """The cells of the table."""
    look, by_app, by_mail = asking
    ninety_nine = quantiles(look.seconds, n=100, method="inclusive")[98]
    cells = [_ms(median(look.seconds)), _ms(ninety_nine), _ms(max(look.seconds))]
    cells += [f"{_ms(median(a.seconds))}, {_ms(max(a.seconds))}" for a in (by_app, by_mail)]
    failed = [f"{a.failed} of {len(a.seconds)}" for a in asking]
    return " | ".join([*cells, ", ".join(failed)])


def report(database: str | None, seconds: float) -> Iterator[str]:
    """The table, line by line."""
    yield "| attack | `/me` p50 | p99 | longest | reset by app: p50, longest | by mail | failed |"
    yield "|---|---|---|---|---|---|---|"
    owners = int(len(ATTACKS) * (seconds / PAUSE_OF_RESETS + 3))
    with (
        tempfile.TemporaryDirectory(prefix="e2ereset-attacks-") as folder,
        attacked_server(Path(folder), database, owners) as target,
    ):
        for name, attack in ATTACKS.items():
            yield f"| {name} | {row(measure(target, attack, seconds))} |"


@contextmanager
def _under(target: Target, attack: Attack | None) -> Iterator[None]:
    if attack is None:
        yield
        return
    # A process of its own: in ours, the attackers' threads would hold up those that measure.
    forked = multiprocessing.get_context("fork")
    over = forked.Event()
    process = forked.Process(target=attack, args=(target, over))
    process.start()
    time.sleep(1)  # until it holds what it can hold
    try:
        yield
    finally:
        over.set()
        process.join()


def _sent(held: socket.socket, data: bytes) -> bool:
    try:
        held.sendall(data)
    except OSError:
        held.close()
        return False
    return True


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.attacks", description=__doc__)
    parser.add_argument("--seconds", type=float, default=6, help="length of each attack, up to 30")
    parser.add_argument("--database", help="address of an empty database; otherwise SQLite")
    options = parser.parse_args()
    for line in report(options.database, min(options.seconds, 30)):
        print(line, flush=True)


if __name__ == "__main__":
    main()
