"""A server under `gunicorn.conf.py` as it stands, and owners who use it while it is attacked."""

from __future__ import annotations

import http.client
import json
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any
from unittest.mock import patch

import pyotp

from e2ereset import get_e2ereset
from e2ereset.permissions import seed
from e2ereset.server.app import create_app
from e2ereset.server.people.service import NewPerson, add_person
from e2ereset.server.sessions.tokens import NewToken, add_token
from e2ereset.server.tables import Base as ServerBase
from e2ereset.server.tables import db
from e2ereset.store.tables import Base
from e2ereset.testing import enable_email, enrol_totp

from .gunicorn import PATIENCE, ROOT, free_port

API = "/api/v1/"
RESET = "users.resetE2EKey"
LONGEST = 10.0  # seconds that an owner waits
CODE = re.compile(r"\b\d{3}-\d{3}\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Somebody with a key who is signed in, with an authenticator app or with mailed codes."""

    name: str
    headers: Mapping[str, str]
    secret: str | None = field(repr=False)


@dataclass(slots=True)
class Target:
    """The server's port, where its mails land, and the owners who have not reset yet."""

    port: int
    mails: Path
    by_app: list[Owner]
    by_mail: list[Owner]

    def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: Any = None
    ) -> tuple[int, dict[str, Any]]:
        """The status and the body of the answer. Raises OSError where there is none in time."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LONGEST)
        data = None if body is None else json.dumps(body)
        sent = {"Content-Type": "application/json", **(headers or {})}
        try:
            connection.request(method, API + path, body=data, headers=sent)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except http.client.HTTPException as error:
            raise OSError from error
        finally:
            connection.close()

    def look(self, owner: Owner) -> bool:
        """Whether the owner sees the own account."""
        return self.ask("GET", "me", owner.headers)[0] == 200

    def reset_by_app(self) -> bool:
        """Whether the next owner's reset by an authenticator app is done."""
        owner = self.by_app.pop()
        code = pyotp.TOTP(str(owner.secret)).now()
        return self.ask("POST", RESET, {**owner.headers, "x-2fa-code": code})[0] == 200

    def reset_by_mail(self) -> bool:
        """Whether the next owner's reset by a mailed code is done."""
        owner, end = self.by_mail.pop(), time.monotonic() + LONGEST
        self.ask("POST", RESET, owner.headers)
        while time.monotonic() < end:
            if code := self._mailed(owner):
                return self.ask("POST", RESET, {**owner.headers, "x-2fa-code": code})[0] == 200
            time.sleep(0.02)
        return False

    def _mailed(self, owner: Owner) -> str | None:
        for path in self.mails.glob("*"):
            text = path.read_text(encoding="utf-8", errors="replace")
            if f"To: {owner.name}@" in text and (found := CODE.search(text)):
                return found[0]
        return None


class Asking:
    """Does a thing again and again in a thread of its own, and notes how long each took."""

    def __init__(self, do: Callable[[], bool], pause: float) -> None:
        self.seconds: list[float] = []
        self.failed = 0
        self._do, self._pause, self._over = do, pause, Event()
        self._thread = Thread(target=self._run)
        self._thread.start()

    def end(self) -> None:
        """Finish the one under way."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(self._pause):
            began = time.perf_counter()
            try:
                self.failed += not self._do()
            except OSError:
                self.failed += 1
            self.seconds.append(time.perf_counter() - began)


@contextmanager
def attacked_server(folder: Path, database: str | None, owners: int) -> Iterator[Target]:
    """A server with two workers of four threads, and so many owners of each kind."""
    port = free_port()
    env = {
        "E2ERESET_INSTANCE": str(folder),
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "FLASK_RATELIMIT_ENABLED": "false",  # as if each request came from another address
        "FLASK_MAIL_BACKEND": "file",
        "FLASK_E2ERESET_SERVER_LOG_LEVEL": "error",
    }
    if database:
        env["FLASK_SQLALCHEMY_DATABASE_URI"] = database
    with patch.dict(os.environ, env):
        people = [list(_made(kind, owners)) for kind in ("app", "mail")]
        command = [sys.executable, "-m", "gunicorn", "--log-level", "error", "wsgi:app"]
        process = subprocess.Popen(command, cwd=ROOT)
    try:
        target = Target(port, folder / "mail", *people)
        _wait(target, process)
        yield target
    finally:
        process.terminate()
        process.wait(2 * PATIENCE)


def _made(kind: str, number: int) -> Iterator[Owner]:
    app = create_app({"E2ERESET_DELIVERY": "process"})
    runtime = get_e2ereset(app)
    with app.app_context():
        Base.metadata.create_all(db.engine)
        ServerBase.metadata.create_all(db.engine)
        with runtime.transactions.begin() as session:
            seed(session.connection())
        for n in range(number):
            yield _owner(app, f"{kind}{n}", by_mail=kind == "mail")
        db.engine.dispose()


def _owner(app: Any, name: str, *, by_mail: bool) -> Owner:
    runtime, now = get_e2ereset(app), int(time.time())
    with runtime.transactions.begin() as session:
        new = NewPerson(username=name, emails=[f"{name}@example.org"], verified=True)
        user = add_person(session, new, now, secrets)
        wanted = NewToken(user_id=user.id, created_at=now, expires_at=now + 86400)
        token = add_token(session, wanted, secrets)
    with runtime.transactions.read() as session:
        account = runtime.accounts.get(session, user.id)
    if account is None:
        raise RuntimeError(f"{name} is not there")
    secret = None if by_mail else enrol_totp(app, account).secret
    if by_mail:
        enable_email(app, account)
    headers = {"X-User-Id": user.id, "X-Auth-Token": str(token)}
    return Owner(name=name, headers=headers, secret=secret)


def _wait(target: Target, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            target.ask("GET", "me")
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("gunicorn did not start; its reason stands above.")
