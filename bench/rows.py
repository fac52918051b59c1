"""The rows of the table: what is called, on which server, and how it compares."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from sqlalchemy import create_engine

from .gunicorn import Server, serving
from .load import CONNECTIONS, Load, run_wrk
from .people import (
    SECRET_KEY,
    Call,
    calls_with_codes,
    calls_without_codes,
    fill,
    make_known,
    spread,
)

FASTEST = 2000  # resets a second that no twin reaches: so many people are kept for each
RESIDENTS = 500  # whose keys stay
WARM_UP = 2  # seconds

NOOP, REJECTED, REQUIRED, RESET, BY_HAND = (
    "no-op Flask JSON endpoint",
    "rejected call (bad token)",
    "totp-required",
    "TOTP reset",
    "TOTP reset by hand",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One kind of call: how its calls are made anew for each round, and the right status."""

    name: str
    server: Server
    calls: Callable[[], Sequence[Call]]
    wanted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run of a row. `cpu` is in microseconds a request."""

    load: Load
    cpu: float

    @property
    def rate(self) -> float:
        """Right answers a second."""
        return self.load.right / self.load.seconds


def measure(rounds: int, seconds: int, folder: Path) -> Iterator[str]:
    """Load every row in turns, and tell what came of it."""
    share = FASTEST * seconds
    with ExitStack() as stack:
        users = _prepare(folder, share * (rounds + 1) + RESIDENTS)
        servers = _start(stack, folder)
        rows = _rows(servers, users, share)
        for row in rows:
            _run(row, min(WARM_UP, seconds), folder)
        runs: dict[str, list[Measured]] = {row.name: [] for row in rows}
        for _ in range(rounds):
            for row in rows:
                runs[row.name].append(_run(row, seconds, folder))
        yield f"gunicorn gthread 2x4, wrk {CONNECTIONS} connections, {rounds} x {seconds} s a row."
        yield "Both twins: SQLite, WAL, synchronous=FULL; delivery and sealing off, no rate limit."
        yield from _table(rows, runs)
        yield from _targets(runs, servers)


def _prepare(folder: Path, people: int) -> list[str]:
    """A database for each twin, alike."""
    uri, users = f"sqlite:///{folder / 'e2ereset.sqlite3'}", spread(people, people)
    fill(uri, people)
    with create_engine(uri).begin() as connection:
        make_known(connection, users)
    shutil.copy(folder / "e2ereset.sqlite3", folder / "by_hand.sqlite3")
    return users


def _start(stack: ExitStack, folder: Path) -> dict[str, Server]:
    secret = {"FLASK_SECRET_KEY": SECRET_KEY}
    ours = {
        "E2ERESET_INSTANCE": str(folder),
        "FLASK_SQLALCHEMY_DATABASE_URI": f"sqlite:///{folder / 'e2ereset.sqlite3'}",
        "FLASK_RATELIMIT_ENABLED": "false",
        "FLASK_E2ERESET_DELIVERY": "process",
    }
    twin = {"BENCH_DATABASE": str(folder / "by_hand.sqlite3")}
    apps = {
        "noop": ("bench.noop:app", {}),
        "e2ereset": ("e2ereset.server.app:create_app()", ours | secret),
        "by hand": ("bench.by_hand:app", twin | secret),
    }
    return {
        name: stack.enter_context(serving(app, env, folder)) for name, (app, env) in apps.items()
    }


def _rows(servers: dict[str, Server], users: list[str], share: int) -> list[Row]:
    residents, others = users[:RESIDENTS], users[RESIDENTS:]
    ours = servers["e2ereset"]
    nobody = [Call(user, "not-a-token") for user in residents]

    def signed_in() -> list[Call]:
        return calls_without_codes(residents)

    return [
        Row(name=NOOP, server=servers["noop"], calls=lambda: nobody, wanted=200),
        Row(name=REJECTED, server=ours, calls=lambda: nobody, wanted=401),
        Row(name=REQUIRED, server=ours, calls=signed_in, wanted=400),
        Row(name=RESET, server=ours, calls=_fresh(others, share), wanted=200),
        Row(name=BY_HAND, server=servers["by hand"], calls=_fresh(others, share), wanted=200),
    ]


def _fresh(users: list[str], share: int) -> Callable[[], Sequence[Call]]:
    """Calls of people whose key no round has reset before."""
    shares = iter([users[i : i + share] for i in range(0, len(users), share)])
    return lambda: calls_with_codes(next(shares))


def _run(row: Row, seconds: int, folder: Path) -> Measured:
    calls = row.calls()
    before = row.server.cpu_seconds()
    load = run_wrk(row.server.port, calls, row.wanted, seconds=seconds, folder=folder)
    used = row.server.cpu_seconds() - before
    return Measured(load=load, cpu=used * 1e6 / max(1, load.right + load.wrong))


def _middle(runs: list[Measured]) -> Measured:
    return sorted(runs, key=lambda run: run.rate)[len(runs) // 2]


def _table(rows: list[Row], runs: dict[str, list[Measured]]) -> Iterator[str]:
    yield (
        f"{'':27}{'right/s':>8}{'p50 ms':>8}{'p99 ms':>8}{'CPU us':>8}"
        f"{'MiB RSS':>9}{'MiB PSS':>9}{'of no-op':>10}{'wrong':>7}"
    )
    for row in rows:
        run = _middle(runs[row.name])
        yield (
            f"{row.name:27}{run.rate:8.0f}{run.load.p50:8.1f}{run.load.p99:8.1f}{run.cpu:8.0f}"
            f"{row.server.mebibytes('Rss'):9.1f}{row.server.mebibytes('Pss'):9.1f}"
            f"{_ratio(runs, row.name, NOOP):10.2f}{sum(r.load.wrong for r in runs[row.name]):7}"
        )


def _targets(runs: dict[str, list[Measured]], servers: dict[str, Server]) -> Iterator[str]:
    rss, pss = (servers["e2ereset"].mebibytes(field) for field in ("Rss", "Pss"))
    yield _target("rejected call / no-op", runs, REJECTED, NOOP) + "0.6 or more"
    yield _target("TOTP reset / by hand", runs, RESET, BY_HAND) + "0.5 or more"
    yield f"MiB per worker: {rss:.1f} RSS, {pss:.1f} with shared pages split. Target: 60 or less"


def _target(title: str, runs: dict[str, list[Measured]], name: str, of: str) -> str:
    # The CPU says the same with less noise: wrk, too, wants some of the cores.
    cpu = _middle(runs[of]).cpu / _middle(runs[name]).cpu
    return f"{title}: {_ratio(runs, name, of):.2f} by rate, {cpu:.2f} by CPU. Target: "


def _ratio(runs: dict[str, list[Measured]], name: str, of: str) -> float:
    """The median over the rounds, each compared within itself."""
    pairs = zip(runs[name], runs[of], strict=True)
    return median(one.rate / other.rate for one, other in pairs)
