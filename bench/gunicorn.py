"""One app under gunicorn, and what its workers use."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

WORKERS, THREADS = 2, 4
PATIENCE = 30.0  # seconds
ROOT = Path(__file__).parent.parent
TICKS = os.sysconf("SC_CLK_TCK")


# A line for each request would be measured too, in one of the twins only.
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
def serving(app: str, env: Mapping[str, str], folder: Path) -> Iterator[Server]:
    """Serve `module:app` on a free port of the loopback for the length of the block."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", app, "--bind", f"127.0.0.1:{port}"]
    command += ["--worker-class", "e2ereset.server.worker.WholeRequests", "--workers", str(WORKERS)]
    command += ["--threads", str(THREADS), "--keep-alive", "5", "--log-level", "warning"]
    command += ["--preload"]  # as in the server's own gunicorn.conf.py
    command += ["--no-control-socket"]  # its path is the same for all servers of a user
    # Not in the checkout, whose gunicorn.conf.py is the server's own.
    process = subprocess.Popen(
        command, cwd=folder, env={**os.environ, **QUIET, "PYTHONPATH": str(ROOT), **env}
    )
    try:
        yield Server(port, _wait_for_workers(process, port))
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """A port of the loopback where nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def _wait_for_workers(process: subprocess.Popen[bytes], port: int) -> tuple[int, ...]:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        workers = _children(process.pid)
        if len(workers) == WORKERS and _answers(port):
            return workers
        time.sleep(0.1)
    raise RuntimeError("gunicorn did not start; its reason stands above.")


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=PATIENCE).close()
    except urllib.error.HTTPError as error:
        error.close()
        return True
    except OSError:
        return False
    return True


def _children(pid: int) -> tuple[int, ...]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return tuple(map(int, text.split()))


def _cpu_ticks(pid: int) -> int:
    # After the name, which is in brackets and may hold spaces: utime and stime are 14 and 15.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _memory(pid: int, field: str) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))
