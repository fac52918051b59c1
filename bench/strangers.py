"""What a stranger may ask without being told who exists: the kinds of answers, in groups."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from flask import Flask
from sqlalchemy import update
from sqlalchemy.orm import Session
from werkzeug.test import EnvironBuilder

from e2ereset import get_e2ereset
from e2ereset.permissions import seed
from e2ereset.server.app import create_app
from e2ereset.server.people.models import FEDERATED, User
from e2ereset.server.people.password_hashing import PasswordHasher
from e2ereset.server.people.service import NewPerson, add_person
from e2ereset.server.sessions.tokens import NewToken, add_token
from e2ereset.server.tables import Base as ServerBase
from e2ereset.server.tables import db
from e2ereset.store.tables import Base
from e2ereset.testing import FakeClock, TotpDevice, enable_email, enrol_totp

from .people import SECRET_KEY

API = "/api/v1/"
COST = 6  # a sixteenth of the cheapest hash of a live server: what else differs shows the more
NOBODY = "nix"
PAUSE = 4 * 3600  # between two rounds: no budget is ever spent


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One kind of answer: its request, made anew for each sample, and the status it must have."""

    name: str
    request: Callable[[], EnvironBuilder]
    wanted: int
    taken: list[float] = field(default_factory=list)


class Strangers:
    """A server with all sorts of people, and the questions about them."""

    def __init__(self, app: Flask, clock: FakeClock) -> None:
        self.app, self.clock, self.runtime = app, clock, get_e2ereset(app)
        hashed = PasswordHasher(COST).hash("right")
        with self.runtime.transactions.begin() as session:
            seed(session.connection())
            make = {name: _person(session, name, hashed) for name in ("bob", "eve", "gone")}
            make |= {name: _person(session, name, None) for name in ("ned", "fed")}
            make["root"] = _person(session, "root", hashed, role="admin")
            make["old"] = _person(session, "old", PasswordHasher(COST - 2).hash("right"))
            make["odd"] = _person(session, "odd", "$5$rounds=1000$salt$hash")
            _set(session, make["gone"], active=False)
            _set(session, make["fed"], kind=FEDERATED)
            self._headers = {name: self._sign_in(session, make[name]) for name in ("bob", "eve")}
        for name in ("eve", "root"):
            enable_email(app, self._account(make[name]))
        self._device: TotpDevice = enrol_totp(app, self._account(make["bob"]))

    def groups(self) -> dict[str, list[Case]]:
        """The cases by what is asked; within a group nobody may tell one from another."""
        return {
            "login, wrong": [
                self._login(title, name)
                for title, name in (
                    ("unknown name", NOBODY),
                    ("wrong password", "bob"),
                    ("inactive account", "gone"),
                    ("account without a password", "ned"),
                    ("hash of a lower cost", "old"),
                    ("hash of another format", "odd"),
                )
            ],
            "users.2fa.sendEmailCode": [
                self._send(title, name)
                for title, name in (
                    ("unknown name", NOBODY),
                    ("without e-mail factor", "bob"),
                    ("nothing pending", "root"),
                    ("pending action", "eve"),
                )
            ],
            "reset without the permission": [
                self._reset(title, name)
                for title, name in (
                    ("unknown target", NOBODY),
                    ("existing target", "eve"),
                    ("administrator", "root"),
                    ("federated target", "fed"),
                )
            ],
        }

    def next_round(self) -> None:
        """Do what the round before has queued, open every budget, have eve wait for a code."""
        self.runtime.worker.run_due()
        self.app.extensions["mailman"].outbox = []
        self.clock.tick(PAUSE)
        answer = self.app.test_client().post(
            f"{API}users.resetE2EKey", headers=self._headers["eve"]
        )
        if answer.status_code != 400:
            raise RuntimeError(answer.get_data(as_text=True))
        self.clock.tick(60)

    def _login(self, title: str, name: str) -> Case:
        body = {"user": name, "password": "wrong"}
        return _case(title, lambda: _post("login", body), wanted=401)

    def _send(self, title: str, name: str) -> Case:
        def request() -> EnvironBuilder:
            # Each time another one of no people: a name that waits already is another kind.
            asked = secrets.token_hex(2) if name == NOBODY else name
            return _post("users.2fa.sendEmailCode", {"emailOrUsername": asked})

        return _case(title, request, wanted=200)

    def _reset(self, title: str, name: str) -> Case:
        def request() -> EnvironBuilder:
            self.clock.tick(30)
            headers = self._headers["bob"] | {"x-2fa-code": self._device.code()}
            return _post("users.resetE2EKey", {"username": name}, headers)

        return _case(title, request, wanted=400)

    def _sign_in(self, session: Session, user_id: str) -> dict[str, str]:
        now = int(self.clock())
        new = NewToken(user_id=user_id, created_at=now, expires_at=None, name="bench")
        token = add_token(session, new, self.runtime.entropy)
        return {"X-User-Id": user_id, "X-Auth-Token": str(token)}

    def _account(self, user_id: str) -> Any:
        with self.runtime.transactions.read() as session:
            return self.runtime.accounts.get(session, user_id)


@contextmanager
def serving(folder: Path) -> Iterator[Strangers]:
    """A server on a new SQLite file, with its people in it."""
    clock = FakeClock()
    config = {
        "TESTING": True,
        "SECRET_KEY": SECRET_KEY,
        "SQLALCHEMY_DATABASE_URI": f"sqlite:///{folder / 'timing.sqlite3'}",
        "RATELIMIT_ENABLED": False,
        "MAIL_BACKEND": "locmem",
        "E2ERESET_SERVER_BCRYPT_COST": COST,
    }
    with patch.dict(os.environ, E2ERESET_INSTANCE=str(folder)):
        app = create_app(config, clock=clock)
    with app.app_context():
        engine = db.engine
    Base.metadata.create_all(engine)
    ServerBase.metadata.create_all(engine)
    yield Strangers(app, clock)
    engine.dispose()


def _person(session: Session, name: str, hashed: str | None, *, role: str = "user") -> str:
    new = NewPerson(
        username=name,
        emails=[f"{name}@example.org"],
        verified=True,
        roles=[role],
        password_hash=hashed,
    )
    return add_person(session, new, 0, secrets).id


def _set(session: Session, user_id: str, **facts: Any) -> None:
    session.execute(update(User).where(User.id == user_id).values(**facts))


def _case(name: str, request: Callable[[], EnvironBuilder], wanted: int) -> Case:
    return Case(name=name, request=request, wanted=wanted)


def _post(route: str, body: Any, headers: dict[str, str] | None = None) -> EnvironBuilder:
    return EnvironBuilder(path=API + route, method="POST", json=body, headers=headers)
