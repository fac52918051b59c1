"""What a stranger may ask without being told who exists: the kinds of answers, in groups."""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sqlalchemy.orm import Session
from werkzeug.test import EnvironBuilder

from e2ereset.permissions import seed
from e2ereset.server.app import create_app
from e2ereset.server.people.models import FEDERATED
from e2ereset.server.people.password_hashing import PasswordHasher
from e2ereset.server.tables import Base as ServerBase
from e2ereset.server.tables import db
from e2ereset.store.tables import Base
from e2ereset.testing import FakeClock
from tests.kit.world import World

from .facts import SECRET_KEY

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

    def __init__(self, world: World) -> None:
        self.app, self.clock, self.world = world.app, world.clock, world
        hashed = PasswordHasher(COST).hash("right")
        self._bob = world.person("bob", totp=True, key=False, password_hash=hashed)
        self._eve = world.person("eve", email=True, key=False, password_hash=hashed)
        others: dict[str, dict[str, Any]] = {
            "root": {"email": True, "password_hash": hashed, "roles": ["admin"]},
            "gone": {"active": False, "password_hash": hashed},
            "old": {"password_hash": PasswordHasher(COST - 2).hash("right")},
            "odd": {"password_hash": "$5$rounds=1000$salt$hash"},
            "ned": {},
            "fed": {"kind": FEDERATED},
        }
        for name, facts in others.items():
            world.person(name, key=False, **facts)
        self._signs = world.sign_in(self._bob.id, expires_at=None, name="bench")
        self._eve.headers = world.sign_in(self._eve.id, expires_at=None, name="bench")

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
        self.world.runtime.worker.run_due()
        self.app.extensions["mailman"].outbox = []
        self.clock.tick(PAUSE)
        answer = self.world.reset(self._eve)
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
            headers = self._signs | {"x-2fa-code": self.world.code(self._bob)}
            return _post("users.resetE2EKey", {"username": name}, headers)

        return _case(title, request, wanted=400)


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
    with engine.begin() as connection:
        seed(connection)
    with Session(engine) as session:
        yield Strangers(World(app, session, clock))
    engine.dispose()


def _case(name: str, request: Callable[[], EnvironBuilder], wanted: int) -> Case:
    return Case(name=name, request=request, wanted=wanted)


def _post(route: str, body: Any, headers: dict[str, str] | None = None) -> EnvironBuilder:
    return EnvironBuilder(path=API + route, method="POST", json=body, headers=headers)
