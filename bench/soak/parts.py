"""The parts of the deployment: PostgreSQL, Redis, gunicorn on each host, nginx in front."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.kit.network import PATIENCE, free_port, wait_for
from tests.kit.postgres import BINARIES, Postgres

from . import ROOT
from .network import Network, Place
from .relay import Relay

APP_PORT = 8000
REQUESTS_A_MINUTE = 200
LENIENT = "max_fails=3 fail_timeout=5s"
NEEDED = {"redis-server": "redis-server", "nginx": "nginx"}


def missing_tools() -> list[str]:
    """The Debian packages that have to be installed first."""
    missing = [package for tool, package in NEEDED.items() if shutil.which(tool) is None]
    return missing if BINARIES else [*missing, "postgresql"]


class Process:
    """A command that runs until it is stopped, by its id; its words go into a log."""

    def __init__(self, command: list[str], log: Path, env: dict[str, str] | None = None) -> None:
        self._command, self._log, self._env = command, log, env
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Run it."""
        with self._log.open("ab") as log:
            # A session of its own: Ctrl-C is for us, who end it in order.
            self.process = subprocess.Popen(
                self._command, cwd=ROOT, env=self._env, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def stop(self, how: int = signal.SIGTERM) -> None:
        """End it and wait for that."""
        if self.process is None:
            return
        process, self.process = self.process, None
        process.send_signal(how)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Host(Process):
    """One machine's gunicorn: two workers of four threads, as `gunicorn wsgi:app` has them."""

    def __init__(self, place: Place, port: int, settings: dict[str, str], folder: Path) -> None:
        folder.mkdir()
        self.address, self.port = place.address, port
        where = {"E2ERESET_INSTANCE": str(folder), "HOST": place.address, "PORT": str(port)}
        command = [*place.prefix, sys.executable, "-m", "gunicorn", "wsgi:app"]
        super().__init__(command, folder / "log", _clean_environment() | settings | where)

    def start(self) -> None:
        """Serve, with both workers up."""
        super().start()
        wait_for(lambda: len(self.workers()) == 2, f"two workers, see {self._log}")
        wait_for(self._listens, f"gunicorn to listen, see {self._log}")

    def workers(self) -> list[int]:
        """The process ids of its workers."""
        if self.process is None:
            return []
        pid = self.process.pid
        with suppress(OSError):
            return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return []

    def kill_worker(self) -> None:
        """SIGKILL its first worker; gunicorn starts another one."""
        before = self.workers()
        os.kill(before[0], signal.SIGKILL)
        wait_for(lambda: len(set(self.workers()) - {before[0]}) == 2, "a new worker")

    def _listens(self) -> bool:
        with suppress(OSError), socket.create_connection((self.address, self.port), 1):
            return True
        return False


class Nginx(Process):
    """nginx with deploy/nginx.conf, at our addresses and in our folder."""

    def __init__(self, port: int, hosts: list[Host], folder: Path) -> None:
        folder.mkdir()
        self.port, self._hosts, self._folder = port, hosts, folder
        self._config = folder / "nginx.conf"
        options = "daemon off;" + (" user root;" if os.geteuid() == 0 else "")
        command = ["nginx", "-p", str(folder), "-e", "stderr", "-c", str(self._config)]
        super().__init__([*command, "-g", options], folder / "log")

    def start(self) -> None:
        """Serve."""
        self._write()
        super().start()
        wait_for(lambda: _open(self.port), f"nginx to listen, see {self._log}")

    def use(self, *, without: Host | None = None) -> None:
        """Send requests to all hosts but this one, from now on."""
        self._write(without)
        if self.process is not None:
            self.process.send_signal(signal.SIGHUP)

    def _write(self, without: Host | None = None) -> None:
        config = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
        line = next(line for line in config.splitlines() if "server web:8000" in line)
        servers = "".join(
            f"server {host.address}:{host.port} {'down' if host is without else LENIENT};\n"
            for host in self._hosts
        )
        config = config.replace(line, servers).replace("/tmp/", f"{self._folder}/")
        config = config.replace("listen 8080;", f"listen 127.0.0.1:{self.port};")
        self._config.write_text(config, encoding="utf-8")


@dataclass(kw_only=True)
class Deployment:
    """All parts, running."""

    network: Network
    database: Postgres
    redis: Process
    relay: Relay
    hosts: list[Host]
    nginx: Nginx
    settings: dict[str, str]

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `e2ereset ...` as the operator does."""
        return subprocess.run(
            [sys.executable, "-m", "e2ereset.server.cli", *words],
            cwd=ROOT, env=_clean_environment() | self.settings, text=True, capture_output=True,
            check=False,
        )  # fmt: skip


@contextmanager
def deployed(network: Network, folder: Path) -> Iterator[Deployment]:
    """Start every part, migrate, and end all of it after the block."""
    with ExitStack() as stack:
        database = _start_database(stack, network, folder / "postgres")
        redis_port = free_port()
        redis = _start_redis(stack, network, redis_port, folder)
        relay = Relay(network.shared)
        relay.start()
        stack.callback(relay.stop)
        settings = _settings(network, database, redis_port, relay=relay, folder=folder)
        hosts = [
            Host(place, APP_PORT if place.prefix else free_port(), settings, folder / f"host{n}")
            for n, place in enumerate(network.places)
        ]
        made = Deployment(
            network=network, database=database, redis=redis, relay=relay,
            hosts=hosts, nginx=Nginx(free_port(), hosts, folder / "nginx"), settings=settings,
        )  # fmt: skip
        done = made.command("db", "upgrade")
        if done.returncode:
            raise RuntimeError(done.stderr)
        for part in (*hosts, made.nginx):
            stack.callback(part.stop)
            part.start()
        yield made


def _start_database(stack: ExitStack, network: Network, folder: Path) -> Postgres:
    addresses = ",".join(dict.fromkeys(["127.0.0.1", network.shared]))
    database = Postgres(folder, settings=[f"listen_addresses={addresses}"])
    database.init()
    with (database.data / "pg_hba.conf").open("a") as rules:
        rules.write("host all all samenet trust\n")
    stack.callback(database.stop)
    database.start()
    return database


def _start_redis(stack: ExitStack, network: Network, port: int, folder: Path) -> Process:
    command = ["redis-server", "--bind", network.shared, "--port", str(port), "--save", ""]
    command += ["--protected-mode", "no", "--dir", str(folder)]
    redis = Process(command, folder / "redis.log")
    stack.callback(redis.stop)
    redis.start()
    return redis


def _settings(
    network: Network, database: Postgres, redis_port: int, *, relay: Relay, folder: Path
) -> dict[str, str]:
    uri = database.uri().replace("127.0.0.1", network.shared)
    (folder / "operator").mkdir()
    return {
        "E2ERESET_INSTANCE": str(folder / "operator"),
        "FLASK_SQLALCHEMY_DATABASE_URI": uri,
        "FLASK_RATELIMIT_STORAGE_URI": f"redis://{network.shared}:{redis_port}/0",
        "FLASK_E2ERESET_SECRET_KEYS": json.dumps([secrets.token_urlsafe(32)]),
        "FLASK_E2ERESET_RATE_LIMIT": f"{REQUESTS_A_MINUTE} per minute",
        "FLASK_E2ERESET_SERVER_BCRYPT_COST": "10",
        "FLASK_E2ERESET_SERVER_PROXY_HOPS": "1",
        **{
            f"FLASK_E2ERESET_SERVER_FAILURES_PER_{window}": "100000"  # they share a few addresses
            for window in ("5_MINUTES", "HOUR", "DAY")
        },
        "FLASK_MAIL_BACKEND": "smtp",
        "FLASK_MAIL_SERVER": network.shared,
        "FLASK_MAIL_PORT": str(relay.port),
    }


def _clean_environment() -> dict[str, str]:
    theirs = ("FLASK_", "GUNICORN_", "E2ERESET_")
    return {name: value for name, value in os.environ.items() if not name.startswith(theirs)}


def _open(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
