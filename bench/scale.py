"""What a call costs among ever more people, and with ever more rooms, on PostgreSQL.

`python -m bench.scale fill N` makes the database scale_N on the server that E2ERESET_TEST_DATABASE
names; `python -m bench.scale measure N...` times resets on those in turns, in this process.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median, quantiles
from tempfile import mkdtemp
from unittest.mock import patch

from flask import Flask
from sqlalchemy import Connection, make_url, text

from e2ereset.server.app import create_app
from e2ereset.server.tables import db
from tests.kit.postgres import execute

from .facts import KEY, RESET_PATH, SECRET_KEY
from .people import (
    Call,
    calls_with_codes,
    calls_without_codes,
    fill,
    make_known,
    spread,
)

ROUNDS, EACH = 10, 30
ROOMS = (1, 10, 100, 1000)
ADMIN = "u00000000"

CROWD = """INSERT INTO subscriptions (user_id, room_id, e2e_key)
    SELECT :user, 'r' || lpad(i::text, 8, '0'), :key FROM generate_series(0, :rooms - 1) AS i
    ON CONFLICT DO NOTHING"""
RESTORE = (
    "DELETE FROM tokens WHERE user_id = :user",
    """INSERT INTO tokens (digest, user_id, kind, bypass_two_factor, created_at, expires_at)
       VALUES (:user, :user, 'login', false, 0, 4000000000)""",
    """INSERT INTO e2ereset_key_pairs VALUES (:user, :key, :key, 0) ON CONFLICT DO NOTHING""",
    "UPDATE subscriptions SET e2e_key = :key WHERE user_id = :user",
    "DELETE FROM waiting_for_keys WHERE user_id = :user",
)
SCANS = """SELECT relname, seq_scan FROM pg_stat_user_tables WHERE n_live_tup > 5000"""
SIZES = """SELECT relname, pg_total_relation_size(relid) FROM pg_stat_user_tables"""


def address(server: str, people: int) -> str:
    """The database of so many people."""
    return make_url(server).set(database=f"scale_{people}").render_as_string(hide_password=False)


def make(server: str, people: int) -> None:
    """Make the database of so many people; each has two rooms, an address, a token and TOTP."""
    execute(server, f"CREATE DATABASE scale_{people}")
    uri = address(server, people)
    fill(uri, people, rooms_each=2)
    execute(uri, f"INSERT INTO user_roles (user_id, role) VALUES ('{ADMIN}', 'admin')")
    execute(uri, "ANALYZE")


def measure(server: str, sizes: Sequence[int]) -> Iterator[str]:
    """Time each kind of call in turns on all databases; what was scanned; how large they are."""
    worlds = open_worlds(server, sizes)
    before = [world.scans() for world in worlds]
    for kind, calls in KINDS.items():
        yield f"{kind:32} {'median us':>10} {'p95 us':>9}"
        for people, taken in in_turns(worlds, calls).items():
            yield _line(people, taken)
    yield f"{'own reset with so many rooms':>32} {'median us':>10} {'p95 us':>9}"
    for rooms in ROOMS:
        yield _line(rooms, with_rooms(worlds[-1], rooms))
    for world, scans in zip(worlds, before, strict=True):
        scanned = {
            name: n - scans[name] for name, n in world.scans().items() if n > scans.get(name, n)
        }
        yield f"{world.people} people: scans of a whole large table: {scanned or 'none'}"
    yield from _sizes(worlds[-1])
    for world in worlds:
        world.close()


class World:
    """The server over one database, and users of it whose codes we know."""

    def __init__(self, people: int, uri: str, wanted: int) -> None:
        self.people = people
        config = {
            "SECRET_KEY": SECRET_KEY,
            "SQLALCHEMY_DATABASE_URI": uri,
            "RATELIMIT_ENABLED": False,
            "E2ERESET_DELIVERY": "process",
            "E2ERESET_SERVER_LOG_LEVEL": "warning",
        }
        with patch.dict(os.environ, E2ERESET_INSTANCE=mkdtemp()):
            self.app: Flask = create_app(config)
        self.users = [user for user in spread(people, wanted + 1) if user != ADMIN]
        with self.database() as connection:
            restore(connection, [ADMIN, *self.users])

    @contextmanager
    def database(self) -> Iterator[Connection]:
        with self.app.app_context(), db.engine.begin() as connection:
            yield connection

    def batch(self, part: int, number: int) -> list[str]:
        """The users of this round: nobody is reset twice."""
        start = (part * (ROUNDS + 1) + number) * EACH
        return self.users[start : start + EACH]

    def scans(self) -> dict[str, int]:
        with self.database() as connection:
            return dict(map(tuple, connection.execute(text(SCANS))))

    def close(self) -> None:
        with self.app.app_context():
            db.engine.dispose()


def open_worlds(server: str, sizes: Sequence[int]) -> list[World]:
    """The databases of these sizes, each with people enough for every kind of call."""
    wanted = 3 * (ROUNDS + 1) * EACH
    return [World(people, address(server, people), wanted) for people in sizes]


def in_turns(
    worlds: Sequence[World], calls: Callable[[World, int], list[float]]
) -> dict[int, list[float]]:
    """The times of these calls by the size of the database, round by round."""
    times: dict[int, list[float]] = {world.people: [] for world in worlds}
    for number in range(ROUNDS + 1):
        for world in worlds:
            taken = calls(world, number)
            times[world.people] += taken if number else []  # the first round fills caches
    return times


def restore(connection: Connection, users: list[str]) -> None:
    """Give back what an earlier run has reset, with tokens and codes that we know."""
    values = [{"user": user, "key": KEY} for user in users]
    for statement in RESTORE:
        connection.execute(text(statement), values)
    make_known(connection, users)


def _asked(world: World, number: int) -> list[float]:
    calls = calls_without_codes(world.batch(0, number))
    return [timed(world, call, expected=400) for call in calls]


def own_resets(world: World, number: int) -> list[float]:
    return [timed(world, call) for call in calls_with_codes(world.batch(1, number))]


def _by_admin(world: World, number: int) -> list[float]:
    taken = []
    for target in world.batch(2, number):
        with world.database() as connection:
            # One administrator spends a code for each: the step is put back in between.
            connection.execute(
                text("UPDATE e2ereset_totp SET last_step = 0 WHERE account_id = :u"), {"u": ADMIN}
            )
        (call,) = calls_with_codes([ADMIN])
        taken.append(timed(world, call, {"username": target}))
    return taken


KINDS: dict[str, Callable[[World, int], list[float]]] = {
    "asked for the second factor": _asked,
    "own reset": own_resets,
    "reset by an administrator": _by_admin,
}


def with_rooms(world: World, rooms: int) -> list[float]:
    """The times of own resets of people with so many rooms; each number has its own people."""
    place = ROOMS.index(rooms)
    users = [f"u{world.people - 1 - place * EACH - i:08d}" for i in range(EACH)]
    with world.database() as connection:
        restore(connection, users)
        many = [{"user": user, "rooms": rooms, "key": KEY} for user in users]
        connection.execute(text("DELETE FROM subscriptions WHERE user_id = :user"), many)
        connection.execute(text(CROWD), many)
    return [timed(world, call) for call in calls_with_codes(users)]


def _line(number: int, taken: list[float]) -> str:
    p95 = quantiles(taken, n=20)[-1]
    return f"{number:>32} {median(taken) * 1e6:>10.0f} {p95 * 1e6:>9.0f}"


def _sizes(world: World) -> Iterator[str]:
    with world.database() as connection:
        rows = sorted(map(tuple, connection.execute(text(SIZES))), key=lambda row: -row[1])
    yield f"{'bytes a person, with indexes':>32}"
    for name, size in rows:
        if size > world.people:
            yield f"{name:>32} {size / world.people:>10.0f}"
    yield f"{'in all, GiB':>32} {sum(size for _, size in rows) / 2**30:>10.1f}"


def timed(
    world: World, call: Call, body: dict[str, str] | None = None, *, expected: int = 200
) -> float:
    with world.app.test_client() as client:
        start = time.perf_counter()
        response = (
            client.post(RESET_PATH, headers=call.headers, json=body)
            if body
            else client.post(RESET_PATH, headers=call.headers)
        )
        taken = time.perf_counter() - start
    if response.status_code != expected:
        raise RuntimeError(f"Not {expected}: {response.get_data(as_text=True)}")
    return taken


def main(command: str, *sizes: str) -> None:
    """Run one of the two commands."""
    server, people = os.environ["E2ERESET_TEST_DATABASE"], list(map(int, sizes))
    if command == "fill":
        for each in people:
            make(server, each)
    else:
        for line in measure(server, people):
            print(line, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
