"""Load by wrk, from prepared calls."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .people import Call

SCRIPT = Path(__file__).with_name("load.lua")
CONNECTIONS, THREADS = 16, 2


class NoLoadTool(Exception):
    """wrk is not installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What came of one run. Latencies are in milliseconds; `wrong` had another status or none."""

    right: int
    wrong: int
    seconds: float
    p50: float
    p99: float


def check_wrk() -> None:
    """Raises NoLoadTool with the line that installs it."""
    if shutil.which("wrk") is None:
        raise NoLoadTool("wrk is missing. Install it: apt-get install wrk")


def run_wrk(port: int, calls: Sequence[Call], wanted: int, *, seconds: int, folder: Path) -> Load:
    """Load the server for so long. `wanted` is the status of a right answer."""
    path = folder / "calls"
    path.write_text("".join(f"{call.user} {call.token} {call.code}\n" for call in calls))
    command = ["wrk", f"-t{THREADS}", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(SCRIPT)]
    command += [f"http://127.0.0.1:{port}", "--", str(path), str(wanted), str(THREADS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))
    total, right, micros, p50, p99, failed = map(int, line.split()[1:])
    return Load(
        right=right,
        wrong=total - right + failed,
        seconds=micros / 1e6,
        p50=p50 / 1000,
        p99=p99 / 1000,
    )
