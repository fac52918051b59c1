"""The server as operators run it: real gunicorn, two workers of four threads, real SMTP."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Barrier
from unittest.mock import patch

import pyotp

from e2ereset.server.app import create_app
from e2ereset.server.tables import db
from tests.kit.client import ME, SET_KEYS, Client
from tests.kit.network import free_port, listens
from tests.kit.paths import ROOT
from tests.kit.program import Program
from tests.kit.relay import Relay

PAIR = {"public_key": "PUB", "private_key": "PRIV", "force": True}
OURS = ("E2ERESET_", "FLASK_", "GUNICORN_")


def environment():
    """Ours, without what would change a server."""
    return {name: value for name, value in os.environ.items() if not name.startswith(OURS)}


def run_cli(env, *args, **options):
    """Run `e2ereset ...` in this environment."""
    command = [sys.executable, "-m", "e2ereset.server.cli", *args]
    return subprocess.run(command, cwd=ROOT, env=env, text=True, capture_output=True, **options)


@dataclass
class User:
    """A user made by the command line: how it signs its requests and makes its codes."""

    id: str
    name: str
    headers: dict = field(repr=False)
    totp: pyotp.TOTP | None = field(default=None, repr=False)
    backup_codes: list = field(default_factory=list, repr=False)
    tokens: tuple = field(default=(), repr=False)

    @property
    def address(self):
        return f"{self.name}@example.org"


class Gunicorn(Program):
    """`gunicorn wsgi:app` with these settings, run by `prefix`; its files are in the folder."""

    def __init__(self, folder, settings, *, address="127.0.0.1", port=None, prefix=()):
        self.folder, self.address, self.port = folder, address, port or free_port()
        self.access = folder / "access.log"
        where = {"E2ERESET_INSTANCE": str(folder), "HOST": address, "PORT": str(self.port)}
        self.settings = dict(settings) | where
        self.env = environment() | self.settings
        command = [*prefix, sys.executable, "-m", "gunicorn", "--access-logfile", self.access]
        command += ["--access-logformat", "%(p)s %(s)s", "wsgi:app"]
        super().__init__(command, folder / "gunicorn.log", ready=self.ready, cwd=ROOT, env=self.env)

    def ready(self):
        """Whether both workers are up; answers of the gunicorn before are nobody's any more."""
        return listens(self.port, self.address) and len(self.workers()) == 2

    def workers(self):
        """The ids of its workers."""
        return self.children()

    def served_by(self):
        """How many requests each worker has answered so far, by its id."""
        return Counter(line.split()[0] for line in self.access.read_text().splitlines())


class Live(Gunicorn):
    """One instance folder, and the gunicorn that serves it; SQLite in it, or `database_uri`."""

    def __init__(self, folder, database_uri=None, settings=()):
        self.inbox = Relay()
        defaults = {
            "FLASK_RATELIMIT_ENABLED": "false",
            "FLASK_E2ERESET_SERVER_BCRYPT_COST": "10",
            "FLASK_MAIL_BACKEND": "smtp",
            "FLASK_MAIL_SERVER": "127.0.0.1",
            "FLASK_MAIL_PORT": str(self.inbox.port),
        }
        if database_uri:
            defaults["FLASK_SQLALCHEMY_DATABASE_URI"] = database_uri
        super().__init__(folder, defaults | dict(settings))
        self.client, self.url = Client(self.port), f"http://127.0.0.1:{self.port}"
        self.call = self.client.call

    def ready(self):
        try:
            return super().ready() and self.call("GET", ME).status == 401
        except OSError:
            return False

    def cli(self, *args, stdin=None):
        """Run `e2ereset ... --json`; what it printed."""
        done = self.run_cli(*args, "--json", stdin=stdin)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def run_cli(self, *args, stdin=None):
        return run_cli(self.env, *args, input=stdin)

    def reset(self, user, target=None, **proof):
        """POST a reset as this user."""
        return self.client.reset(user.headers, target and {"username": target.name}, **proof)

    def user(self, name, *roles, totp=False, email=False):
        """A user with a verified address, a token and a key pair, made by the command line."""
        roles = [word for role in roles or ["user"] for word in ("--role", role)]
        self.cli("user", "add", name, "--email", f"{name}@example.org", "--verified", *roles)
        made = self.cli("user", "token", name)
        headers = {"X-User-Id": made["userId"], "X-Auth-Token": made["authToken"]}
        user = User(made["userId"], name, headers)
        if totp:
            enrolment = self.cli("user", "totp", name)
            user.totp, user.backup_codes = pyotp.TOTP(enrolment["secret"]), enrolment["backupCodes"]
        if email:
            self.cli("user", "email-2fa", name, "--on")
        assert self.call("POST", SET_KEYS, headers, PAIR).status == 200
        return user

    def app(self, clock=time.time):
        """The same server in this process, which delivers no mail by itself."""
        return app_of(self.settings, clock)


@contextmanager
def app_of(settings, clock=time.time):
    """The server of these variables in this process, which delivers no mail by itself."""
    with patch.dict(os.environ, settings):
        app = create_app({"E2ERESET_DELIVERY": "process"}, clock=clock)
    with app.app_context():
        try:
            yield app
        finally:
            db.engine.dispose()


def at_once(calls):
    """Run each call in a thread of its own, released together; their results."""
    barrier = Barrier(len(calls))

    def run(call):
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


@contextmanager
def make_live(folder, database_uri=None, settings=(), make=Live):
    """A migrated server that serves, with its mail server; both end with the block."""
    live = make(folder, database_uri, settings)
    done = live.run_cli("db", "upgrade")
    assert done.returncode == 0, done.stderr
    with live.inbox, live.running():
        yield live
