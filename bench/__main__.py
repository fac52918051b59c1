"""`python -m bench`: a table for SQLite and one for PostgreSQL, and what is to be reached."""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.kit.postgres import BINARIES, Postgres

from . import goals, growth, start, wire
from .contests import NOOP, Size, cluster, on_postgres, on_sqlite, settings
from .load import CONNECTIONS, NoLoadTool, check_wrk
from .rows import Runs, lines

SHORT = Size(rounds=2, seconds=2)


def main() -> int:
    """Print all of it. 1 when wrk is missing."""
    options = _options()
    try:
        check_wrk()
    except NoLoadTool as missing:
        print(missing, file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="e2ereset-bench-") as name:
        for line in _report(options, Path(name)):
            print(line, flush=True)
    return 0


def _report(options: argparse.Namespace, folder: Path) -> Iterator[str]:
    size = options.size
    yield (
        f"gunicorn gthread 2x4, wrk {CONNECTIONS} connections, {size.rounds} x {size.seconds} s a"
        " row; only right answers count. A peer with two requests has the times of one."
    )
    yield from _sqlite(size, folder)
    if not BINARIES:
        yield "\nPostgreSQL is not installed here."
        return
    yield "\nPostgreSQL, as durable as its defaults"
    with cluster() as server:
        yield from _postgres(server, size, folder)
    if options.growth:
        yield from growth.compare(options.growth)


def _sqlite(size: Size, folder: Path) -> Iterator[str]:
    yield "\nSQLite, WAL, synchronous = FULL"
    with on_sqlite(size, folder) as rows:
        runs = Runs(rows, folder)
        runs.measure(size.rounds, size.seconds)
        yield from lines(runs, NOOP)
        yield from goals.for_sqlite(runs, start.ratio(settings("sqlite://", folder)))


def _postgres(server: Postgres, size: Size, folder: Path) -> Iterator[str]:
    with on_postgres(server, size, folder) as rows:
        runs = Runs(rows, folder)
        runs.measure(size.rounds, size.seconds)
        yield from lines(runs, NOOP)
        yield from goals.for_postgres(runs, wire.count(server, folder))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--short", action="store_true", help="two minutes of it")
    parser.add_argument("--rounds", type=int, default=5, help="the median of them counts")
    parser.add_argument("--seconds", type=int, default=3, help="length of one run, at most 25")
    parser.add_argument(
        "--growth",
        type=int,
        nargs="?",
        const=10_000_000,
        metavar="PEOPLE",
        help=f"also compare {growth.SMALL} people with so many: 2 KiB of disk each",
    )
    options = parser.parse_args()
    if not 1 <= options.seconds <= 25:
        parser.error("--seconds must be from 1 to 25: codes do not live longer")
    options.size = SHORT if options.short else Size(options.rounds, options.seconds)
    return options


if __name__ == "__main__":
    sys.exit(main())
