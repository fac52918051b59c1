"""The server as operators run it: real gunicorn, two workers of four threads, real SMTP."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from threading import Barrier, Thread

import pyotp
import pytest
from aiosmtpd.controller import Controller

from e2ereset.server.app import create_app
from e2ereset.server.tables import db
from tests.kit.network import PATIENCE, free_port, wait_for
from tests.kit.paths import ROOT

RESET = "/api/v1/users.resetE2EKey"
ME = "/api/v1/me"
SET_KEYS = "/api/v1/e2e.setUserPublicAndPrivateKeys"
PAIR = {"public_key": "PUB", "private_key": "PRIV", "force": True}


class Inbox:
    """A mail server whose port stays the same while it goes down and comes back."""

    def __init__(self):
        self.port, self.mails, self._controller = free_port(), [], None

    async def handle_DATA(self, server, session, envelope):
        self.mails.append(message_from_bytes(envelope.content, policy=default))
        return "250 OK"

    def start(self):
        self._controller = Controller(self, "127.0.0.1", self.port)
        self._controller.start()

    def stop(self):
        if self._controller is not None:
            controller, self._controller = self._controller, None
            controller.stop()
            controller.loop.close()

    def to(self, address):
        return [mail for mail in self.mails if mail["To"] == address]

    def code_for(self, address):
        """The code in the newest mail of that kind, once it is here."""

        def find():
            for mail in reversed(self.to(address)):
                text = mail.get_body(("plain",)).get_content()
                if found := re.search(r"\b\d{3}-\d{3}\b", text):
                    return found[0]
            return None

        return wait_for(find, f"a code for {address}")


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: dict

    @property
    def error(self):
        return self.body.get("errorType")


@dataclass
class User:
    """A user made by the command line: how it signs its requests and makes its codes."""

    id: str
    name: str
    headers: dict = field(repr=False)
    totp: pyotp.TOTP | None = field(default=None, repr=False)
    backup_codes: list = field(default_factory=list, repr=False)

    @property
    def address(self):
        return f"{self.name}@example.org"


class Live:
    """One instance folder, and the gunicorn that serves it; SQLite in it, or `database_uri`."""

    def __init__(self, folder, database_uri=None, settings=()):
        self.folder, self.inbox, self.port = folder, Inbox(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.access, self.log = folder / "access.log", folder / "gunicorn.log"
        self.process = None
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("FLASK_", "GUNICORN_"))}
        self.settings = {
            "E2ERESET_INSTANCE": str(folder),
            "FLASK_RATELIMIT_ENABLED": "false",
            "FLASK_E2ERESET_SERVER_BCRYPT_COST": "10",
            "FLASK_MAIL_BACKEND": "smtp",
            "FLASK_MAIL_SERVER": "127.0.0.1",
            "FLASK_MAIL_PORT": str(self.inbox.port),
        }
        if database_uri:
            self.settings["FLASK_SQLALCHEMY_DATABASE_URI"] = database_uri
        self.settings |= dict(settings)
        self.env = kept | self.settings | {"HOST": "127.0.0.1", "PORT": str(self.port)}

    def cli(self, *args, stdin=None):
        """Run `e2ereset ... --json`; what it printed."""
        done = self.run_cli(*args, "--json", stdin=stdin)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def run_cli(self, *args, stdin=None):
        command = [sys.executable, "-m", "e2ereset.server.cli", *args]
        return subprocess.run(
            command, cwd=ROOT, env=self.env, input=stdin, text=True, capture_output=True
        )

    def start(self):
        """Serve, with both workers up; answers of the one before are nobody's any more."""
        command = [sys.executable, "-m", "gunicorn"]
        command += ["--access-logfile", self.access, "--access-logformat", "%(p)s %(s)s"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "wsgi:app"], cwd=ROOT, env=self.env, stdout=log, stderr=log
            )
        wait_for(self.answers, f"an answer of gunicorn, see {self.log}")
        wait_for(lambda: len(self.workers()) == 2, "two workers")

    def answers(self):
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.call("GET", ME).status == 401
        except OSError:
            return False

    def workers(self):
        """The ids of gunicorn's workers."""
        pid = self.process.pid
        try:
            return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        except FileNotFoundError:
            return []

    def stop(self):
        """End it as an operator does."""
        if self.process is not None:
            process, self.process = self.process, None
            for _ in range(3):  # gunicorn loses a signal that comes while it forks a worker
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(PATIENCE)
                    return
            process.kill()
            raise AssertionError(f"gunicorn did not end, see {self.log}")

    def kill(self):
        """SIGKILL the whole gunicorn, its master first, so that it replaces no worker."""
        workers = self.workers()
        self.process.kill()
        for worker in workers:
            kill_worker(worker)
        self.process.wait(PATIENCE)
        self.process = None
        wait_for(lambda: not any(map(is_alive, workers)), "the end of the workers")

    def call(self, method, path, headers=None, json_body=None):
        """One request on a connection of its own."""
        body = None if json_body is None else json.dumps(json_body)
        sent = dict(headers or {}) | ({"Content-Type": "application/json"} if body else {})
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            return Answer(response.status, response.headers, json.loads(response.read()))

    def reset(self, user, target=None, *, code=None, method=None):
        """POST a reset as this user."""
        proof = {"x-2fa-code": code, "x-2fa-method": method}
        headers = user.headers | {name: value for name, value in proof.items() if value}
        return self.call("POST", RESET, headers, target and {"username": target.name})

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

    def served_by(self):
        """How many requests each worker has answered so far, by its id."""
        return Counter(line.split()[0] for line in self.access.read_text().splitlines())

    @contextmanager
    def app(self, clock=time.time):
        """The same server in this process, which delivers no mail by itself."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.settings.items():
                patch.setenv(name, value)
            app = create_app({"E2ERESET_DELIVERY": "process"}, clock=clock)
        with app.app_context():
            try:
                yield app
            finally:
                db.engine.dispose()


def kill_worker(pid):
    """SIGKILL one worker; it may have ended by itself."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def is_alive(pid):
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def at_once(calls):
    """Run each call in a thread of its own, released together; their results."""
    barrier, results = Barrier(len(calls)), [None] * len(calls)

    def run(place, call):
        barrier.wait()
        results[place] = call()

    threads = [Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@contextmanager
def make_live(folder, database_uri=None, settings=(), make=Live):
    """A migrated server that serves, with its mail server; both end with the block."""
    live = make(folder, database_uri, settings)
    try:
        done = live.run_cli("db", "upgrade")
        assert done.returncode == 0, done.stderr
        live.inbox.start()
        live.start()
        yield live
    finally:
        live.stop()
        live.inbox.stop()
