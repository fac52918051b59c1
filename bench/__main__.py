"""`python -m bench`: prints the table, the targets, and what growth costs."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from . import growth
from .load import NoLoadTool, check_wrk
from .rows import measure


def main() -> int:
    """Run both parts. 1 when wrk is missing."""
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
    yield from measure(options.rounds, options.seconds, folder)
    if options.users:
        yield ""
        yield f"Filling databases with {growth.SMALL} and {options.users} people ..."
        yield from growth.compare(options.users, folder)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="the median of them counts")
    parser.add_argument("--seconds", type=int, default=3, help="length of one run, at most 25")
    parser.add_argument("--users", type=int, default=1_000_000, help="0 leaves growth out")
    options = parser.parse_args()
    if not 1 <= options.seconds <= 25:
        parser.error("--seconds must be from 1 to 25: codes do not live longer")
    return options


if __name__ == "__main__":
    sys.exit(main())
