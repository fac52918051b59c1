"""Load by wrk, from prepared calls."""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("load.lua")
CONNECTIONS = 16
LONGEST = 15  # seconds that an answer may take: writers wait for SQLite's lock for ten

Requests = tuple[str, ...]
"""One call: its requests, one after the other. `{token}` is the token in the answer before."""


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


def post(path: str, headers: Mapping[str, str], body: object = None) -> str:
    """A request as it is sent."""
    text = "" if body is None else json.dumps(body)
    fields = {"Host": "127.0.0.1", **headers, "Content-Length": str(len(text))}
    if text:
        fields["Content-Type"] = "application/json"
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n{text}"


def run_wrk(
    port: int,
    calls: Sequence[Requests],
    wanted: int,
    *,
    seconds: int,
    folder: Path,
    connections: int = CONNECTIONS,
) -> Load:
    """Load the server for so long. `wanted` is the status of a right answer.

    Latencies are those of a request, also where a call has more than one.
    """
    path, steps = folder / "calls", len(calls[0])
    path.write_text("".join(f"{request}\0" for call in calls for request in call))
    command = ["wrk", f"-t{connections}", f"-c{connections}", f"-d{seconds}s", f"-T{LONGEST}s"]
    command += ["-s", str(SCRIPT)]
    command += [f"http://127.0.0.1:{port}", "--", str(path), str(steps), str(wanted)]
    command += [str(connections)]
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
