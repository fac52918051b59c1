"""The parts of the deployment: PostgreSQL, Redis, gunicorn on each host, nginx in front."""

import json
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.kit.live import Gunicorn, environment, run_cli
from tests.kit.network import free_port, wait_for
from tests.kit.nginx import Nginx
from tests.kit.postgres import BINARIES, Postgres
from tests.kit.program import kill
from tests.kit.redis import Redis
from tests.kit.relay import Relay

from .network import Network

APP_PORT = 8000
REQUESTS_A_MINUTE = 200
LENIENT = "max_fails=3 fail_timeout=5s"
NEEDED = {"redis-server": "redis-server", "nginx": "nginx"}


def missing_tools() -> list[str]:
    """The Debian packages that have to be installed first."""
    missing = [package for tool, package in NEEDED.items() if shutil.which(tool) is None]
    return missing if BINARIES else [*missing, "postgresql"]


class Host(Gunicorn):
    """One machine's gunicorn: two workers of four threads, as `gunicorn wsgi:app` has them."""

    def kill_worker(self) -> None:
        """SIGKILL its first worker; gunicorn starts another one."""
        before = self.workers()
        kill(before[0])
        wait_for(lambda: len(set(self.workers()) - {before[0]}) == 2, "a new worker")


@dataclass(kw_only=True)
class Deployment:
    """All parts, running."""

    network: Network
    database: Postgres
    redis: Redis
    relay: Relay
    hosts: list[Host]
    nginx: Nginx
    settings: dict[str, str]

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `e2ereset ...` as the operator does."""
        return run_cli(environment() | self.settings, *words)

    def use(self, *, without: Host | None = None) -> None:
        """Have nginx send requests to all hosts but this one, from now on."""
        self.nginx.use(*_servers(self.hosts, without))


@contextmanager
def deployed(network: Network, folder: Path) -> Iterator[Deployment]:
    """Start every part, migrate, and end all of it after the block."""
    with ExitStack() as stack:
        database = _database(network, folder / "postgres")
        redis, relay = Redis(folder, network.shared), Relay(network.shared)
        for part in (database.running(), redis.running(), relay):
            stack.enter_context(part)
        settings = _settings(network, database, redis, relay=relay, folder=folder)
        hosts = []
        for number, place in enumerate(network.places):
            own, port = folder / f"host{number}", APP_PORT if place.prefix else free_port()
            own.mkdir()
            where = {"address": place.address, "port": port, "prefix": place.prefix}
            hosts.append(Host(own, settings, **where))
        made = Deployment(
            network=network, database=database, redis=redis, relay=relay, hosts=hosts,
            nginx=Nginx(folder / "nginx", *_servers(hosts)), settings=settings,
        )  # fmt: skip
        done = made.command("db", "upgrade")
        if done.returncode:
            raise RuntimeError(done.stderr)
        for part in (*hosts, made.nginx):
            stack.enter_context(part.running())
        yield made


def _servers(hosts: list[Host], without: Host | None = None) -> list[str]:
    state = {True: "down", False: LENIENT}
    return [f"{host.address}:{host.port} {state[host is without]}" for host in hosts]


def _database(network: Network, folder: Path) -> Postgres:
    addresses = ",".join(dict.fromkeys(["127.0.0.1", network.shared]))
    database = Postgres(folder, settings=[f"listen_addresses={addresses}"])
    database.init()
    with (database.data / "pg_hba.conf").open("a") as rules:
        rules.write("host all all samenet trust\n")
    return database


def _settings(
    network: Network, database: Postgres, redis: Redis, *, relay: Relay, folder: Path
) -> dict[str, str]:
    (folder / "operator").mkdir()
    return {
        "E2ERESET_INSTANCE": str(folder / "operator"),
        "FLASK_SQLALCHEMY_DATABASE_URI": database.uri().replace("127.0.0.1", network.shared),
        "FLASK_RATELIMIT_STORAGE_URI": redis.uri,
        "FLASK_E2ERESET_SECRET_KEYS": json.dumps([secrets.token_urlsafe(32)]),
        **{
            f"FLASK_E2ERESET_RATE_LIMIT{kind}": f"{REQUESTS_A_MINUTE} per minute"
            for kind in ("", "_WRITES", "_READS")
        },
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
