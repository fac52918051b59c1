"""What others would write for the same work, each in the way of its own documentation.

The work: a token or a session is looked up, a TOTP code is checked that was not used before; then
ten subscriptions and the key pair are cleared, the tokens are revoked, a row of an audit log and
one of an outbox are written. All of them on SQLite with `synchronous = FULL`, one database file.

The server also checks some things twice, keeps data for later and limits tries. The peers do not,
which makes them faster.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from bench.load import Requests, post
from tests.kit.paths import ROOT


@dataclass(frozen=True, slots=True)
class Peer:
    """One of them: its module in here, what it needs, and how it is asked with token and code."""

    title: str
    module: str
    needs: str
    ask: Callable[[str, str], Requests]

    @property
    def app(self) -> str:
        """What gunicorn serves."""
        return f"bench.peers.{self.module}:app"

    def people(self, count: int, database: Path) -> list[str]:
        """Fill a new database with so many people; the token of each."""
        command = [sys.executable, "-m", "bench.peers", self.module, str(count)]
        env = os.environ | {"BENCH_DATABASE": str(database)}
        done = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, check=True)
        return done.stdout.decode().split()


def _security(token: str, code: str) -> Requests:
    verify = {"Authentication-Token": token}
    return (
        post("/us-verify?include_auth_token", verify, {"passcode": code}),
        post("/reset", {"Authentication-Token": "{token}"}),
    )


def _allauth(token: str, code: str) -> Requests:
    session = {"X-Session-Token": token}
    return (
        post("/_allauth/app/v1/auth/2fa/reauthenticate", session, {"code": code}),
        post("/reset", session),
    )


def _orm(token: str, code: str) -> Requests:
    return (post("/reset", {"X-Auth-Token": token, "X-2fa-Code": code}),)


PEERS = (
    Peer("Flask-Security-Too", "security", "flask_security", _security),
    Peer("django-allauth", "djangoapp.site", "allauth", _allauth),
    Peer("Flask-SQLAlchemy idiom", "orm", "flask_sqlalchemy", _orm),
)


def installed() -> Sequence[Peer]:
    """Those that can be measured here; `pip install e2ereset[bench]` brings the others."""
    return [peer for peer in PEERS if find_spec(peer.needs)]
