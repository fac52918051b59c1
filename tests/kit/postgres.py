"""A real PostgreSQL of our own on loopback, with Debian's binaries.

`python -m tests.kit.postgres [--through WAY] COMMAND...` runs a command with one, named by
E2ERESET_TEST_DATABASE. Ways: a `pgbouncer` in transaction mode stands in between; tables are in a
schema that the address names by its `search_path`, and there is no `public` one; all transactions
are `serializable`.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from tests.kit.network import free_port
from tests.kit.program import Program
from tests.kit.ram import memory

VARIABLE, WAY = "E2ERESET_TEST_DATABASE", "E2ERESET_TEST_THROUGH"
BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
# The server refuses to run as root.
OWNER = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
SCHEMA = "chat"
BY_SEARCH_PATH = f"?options=-csearch_path%3D{SCHEMA}"
QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")  # a throw-away cluster


class Postgres(Program):
    """One cluster in a folder of its own, whose port stays the same from start to start.

    SIGINT ends every connection at once, SIGQUIT is a crash without a checkpoint.
    """

    def __init__(self, folder, *, settings=()):
        self.folder, self.port = Path(folder), free_port()
        self.data = self.folder / "data"
        facts = ["listen_addresses=127.0.0.1", "unix_socket_directories=", f"port={self.port}"]
        options = [word for s in (*facts, *settings) for word in ("-c", s)]
        command = [BINARIES[-1] / "postgres", "-D", self.data, *options]
        super().__init__(command, self.folder / "log", ready=self.answers, cwd="/", **OWNER)

    def init(self):
        """Make the cluster."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if OWNER:
            shutil.chown(self.folder, "postgres", "postgres")
        command = [BINARIES[-1] / "initdb", "--pgdata", self.data, "--username", "postgres"]
        command += ["--auth", "trust", "--no-sync", "--encoding", "UTF8", "--locale", "C.UTF-8"]
        subprocess.run(command, check=True, cwd="/", capture_output=True, **OWNER)

    def answers(self):
        command = [BINARIES[-1] / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(command, check=False).returncode == 0

    def stop(self, how=signal.SIGINT):
        super().stop(how)

    def restart(self, how=signal.SIGINT):
        self.stop(how)
        self.start()

    def uri(self, database="postgres", user="postgres"):
        return f"postgresql+psycopg://{user}@127.0.0.1:{self.port}/{database}"

    def execute(self, statement, database="postgres"):
        """Run one statement as the owner of the cluster; its rows, where it has any."""
        return execute(self.uri(database), statement)


def execute(uri, statement):
    engine = create_engine(uri, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        result = connection.execute(text(statement))
        return result.all() if result.returns_rows else []


@contextmanager
def fresh_database(server_uri, template="template0"):
    """The address of a new database on this server, which is dropped after the block."""
    name = f"test_{uuid4().hex}"
    execute(server_uri, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    uri = make_url(server_uri).set(database=name).render_as_string(hide_password=False)
    try:
        if BY_SEARCH_PATH in uri:
            execute(uri, f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
            execute(uri, "DROP SCHEMA IF EXISTS public")
        yield uri
    finally:
        execute(server_uri, f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def make_postgres(folder, *settings):
    """A cluster that serves until the end of the block."""
    server = Postgres(folder, settings=settings)
    server.init()
    with server.running():
        yield server


@contextmanager
def own_postgres(*settings):
    """A cluster in a folder that its own user can reach; both are gone after the block."""
    folder = Path(tempfile.mkdtemp(dir=memory()))
    try:
        folder.chmod(0o755)
        with make_postgres(folder / "cluster", *settings) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _through(way):
    """The address of a PostgreSQL that is reached this way."""
    settings = ("default_transaction_isolation=serializable",) if way == "serializable" else ()
    with own_postgres(*QUICK, "max_connections=200", *settings) as server:
        if way == "pgbouncer":
            from tests.kit.pgbouncer import own_pgbouncer

            with own_pgbouncer(server.uri()) as uri:
                yield uri
        else:
            yield server.uri() + (BY_SEARCH_PATH if way == "search_path" else "")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--through", choices=("pgbouncer", "search_path", "serializable"))
    parser.add_argument("command", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    with _through(given.through) as uri:
        environment = os.environ | {VARIABLE: uri, WAY: given.through or ""}
        return subprocess.run(given.command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
