"""A row of a table: calls that load a server, what came of them, and how rows compare."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Protocol

from .gunicorn import Server
from .load import CONNECTIONS, Load, Requests, run_wrk

WARM_UP = 2  # seconds
SLOWEST = 1.4  # times the length of all runs: preparing them takes its time, too


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run of a row. `cpu` is in microseconds for each answer."""

    load: Load
    cpu: float

    @property
    def rate(self) -> float:
        """Right answers a second."""
        return self.load.right / self.load.seconds


class Row(Protocol):
    """What can be measured for some seconds, again and again."""

    @property
    def name(self) -> str:
        """Its name in the table."""

    @property
    def server(self) -> Server | None:
        """The server that it loads, if it does."""

    def run(self, seconds: int, folder: Path, /) -> Measured:
        """Measure it for so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """One kind of call: how its calls are made anew for each run, and the right status."""

    name: str
    server: Server
    calls: Callable[[], Sequence[Requests]]
    wanted: int
    connections: int = CONNECTIONS

    def run(self, seconds: int, folder: Path) -> Measured:
        """Load the server for so long. Raises RuntimeError when all of its answers are wrong."""
        calls = self.calls()
        before = self.server.cpu_seconds()
        load = run_wrk(
            self.server.port,
            calls,
            self.wanted,
            seconds=seconds,
            folder=folder,
            connections=self.connections,
        )
        used = self.server.cpu_seconds() - before
        if load.wrong and not load.right:
            raise RuntimeError(f"{self.name}: {load.wrong} answers, none of them right")
        return Measured(load=load, cpu=used * 1e6 / max(1, load.right + load.wrong))


class Runs:
    """All runs of all rows: every round measures each row once, in turns."""

    def __init__(self, rows: Sequence[Row], folder: Path) -> None:
        self.rows = rows
        self._folder, self._runs = folder, {row.name: list[Measured]() for row in rows}

    def measure(self, rounds: int, seconds: int) -> None:
        """Warm every row up, and measure it so often for so long; less often on a slow machine."""
        warm_up = min(WARM_UP, seconds)
        end = time.monotonic() + SLOWEST * len(self.rows) * (warm_up + rounds * seconds)
        for row in self.rows:
            row.run(warm_up, self._folder)
        for number in range(rounds):
            if number and time.monotonic() > end:
                return
            for row in self.rows:
                self._runs[row.name].append(row.run(seconds, self._folder))

    def middle(self, name: str) -> Measured:
        """The run with the median rate."""
        runs = sorted(self._runs[name], key=lambda run: run.rate)
        return runs[len(runs) // 2]

    def wrong(self, name: str) -> int:
        """How many answers were not the right ones, in all rounds."""
        return sum(run.load.wrong for run in self._runs[name])

    def by_rate(self, name: str, of: str) -> float:
        """The rate of one row, divided by that of another: the median of the rounds."""
        return self._ratio(name, of, lambda one, other: one.rate / max(other.rate, 0.1))

    def by_cpu(self, name: str, of: str) -> float:
        """The CPU of another row, divided by that of this row: wrk disturbs it less than rates."""
        return self._ratio(name, of, lambda one, other: other.cpu / one.cpu)

    def by_p50(self, name: str, of: str) -> float:
        """The p50 of another row, divided by that of this row: for rows with few answers."""
        return self._ratio(name, of, lambda one, other: other.load.p50 / max(one.load.p50, 0.001))

    def spread(self, name: str) -> float:
        """The p99 of a row, divided by its p50: the median of the rounds."""
        return median(run.load.p99 / max(run.load.p50, 0.001) for run in self._runs[name])

    def _ratio(self, name: str, of: str, ratio: Callable[[Measured, Measured], float]) -> float:
        pairs = zip(self._runs[name], self._runs[of], strict=True)
        return median(ratio(one, other) for one, other in pairs)


def lines(runs: Runs, floor: str) -> Iterator[str]:
    """The table, each rate also as a part of that of the row `floor`."""
    yield (
        f"{'':27}{'right/s':>8}{'p50 ms':>8}{'p99 ms':>8}{'CPU us':>8}"
        f"{'MiB RSS':>9}{'MiB PSS':>9}{'of no-op':>10}{'wrong':>7}"
    )
    for row in runs.rows:
        run, server = runs.middle(row.name), row.server
        rss, pss = (server.mebibytes(f) if server else 0 for f in ("Rss", "Pss"))
        yield (
            f"{row.name:27}{run.rate:8.1f}{run.load.p50:8.1f}{run.load.p99:8.1f}{run.cpu:8.0f}"
            f"{rss:9.1f}{pss:9.1f}{runs.by_rate(row.name, floor):10.3f}{runs.wrong(row.name):7}"
        )
