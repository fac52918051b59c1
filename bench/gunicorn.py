"""One app under gunicorn, and what its workers use."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from tests.kit.client import Client
from tests.kit.network import free_port
from tests.kit.paths import ROOT
from tests.kit.program import Program

WORKERS, THREADS = 2, 4
TICKS = os.sysconf("SC_CLK_TCK")
# A line for each request would be measured too, but only in our server.
QUIET = {"FLASK_E2ERESET_SERVER_LOG_LEVEL": "warning"}


@dataclass(frozen=True, slots=True)
class Server:
    """A running gunicorn: its port, and the process ids of its workers."""

    port: int
    workers: tuple[int, ...]

    def cpu_seconds(self) -> float:
        """User and system time of all workers so far."""
        return sum(_cpu_ticks(pid) for pid in self.workers) / TICKS

    def mebibytes(self, field: str) -> float:
        """The mean of a worker's `Rss`, or of its `Pss`, which splits shared pages."""
        return sum(_memory(pid, field) for pid in self.workers) / len(self.workers) / 1024


@contextmanager
def serving(
    app: str, env: Mapping[str, str], folder: Path, workers: int = WORKERS, threads: int = THREADS
) -> Iterator[Server]:
    """Serve `module:app` on a free port of the loopback for the length of the block."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", app, "--bind", f"127.0.0.1:{port}"]
    command += ["--worker-class", "e2ereset.server.worker.WholeRequests", "--workers", str(workers)]
    command += ["--threads", str(threads), "--keep-alive", "5", "--log-level", "warning"]
    command += ["--preload"]  # as in the server's own gunicorn.conf.py
    command += ["--no-control-socket"]  # its path is the same for all servers of a user
    # Not in the checkout, whose gunicorn.conf.py is the server's own: its settings name it.
    env = {**os.environ, **QUIET, "PYTHONPATH": str(ROOT), **env}
    program = Program(command, folder / f"{port}.log", cwd=folder, env=env)
    program.ready = lambda: len(program.children()) == workers and _answers(port)
    with program.running():
        yield Server(port, tuple(program.children()))


def _answers(port: int) -> bool:
    try:
        Client(port).call("GET", "/")
    except (OSError, HTTPException):
        return False
    return True


def _cpu_ticks(pid: int) -> int:
    # After the name, which is in brackets and may hold spaces: utime and stime are 14 and 15.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _memory(pid: int, field: str) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))
