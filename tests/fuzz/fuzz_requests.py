"""`python -m tests.fuzz.fuzz_requests -max_total_time=60`: requests that atheris thinks up.

Needs `pip install -e .[fuzz]`. Coverage of the library guides it; it stops at the first request
that is answered badly, or that resets a key without a right proof.
"""

import logging
import os
import sys
import tempfile

import atheris

with atheris.instrument_imports(include=["e2ereset"]):
    from e2ereset import get_e2ereset
    from e2ereset.server.app import create_app
    from e2ereset.server.sessions.tokens import NewToken, add_token
    from e2ereset.server.tables import db
    from e2ereset.testing import FakeClock, enable_email, enrol_totp
    from e2ereset.vault.models import KeyPair
    from tests.kit.databases import fill  # which imports the library: not before
    from tests.kit.server import configuration
    from tests.kit.states import account_of, add_user
    from tests.kit.wire import HEADERS, NAMES, TYPES, send_raw
    from tests.kit.world import enveloped_routes


class Target:
    """A server with bob in it, who has a key, TOTP and codes by mail."""

    def __init__(self, folder):
        os.environ["E2ERESET_INSTANCE"] = folder
        self.clock = FakeClock()
        self.app = create_app(configuration(f"sqlite:///{folder}/fuzz.sqlite3"), clock=self.clock)
        self.runtime = get_e2ereset(self.app)
        self.routes = enveloped_routes(self.app)
        with self.app.app_context():
            fill(db.engine)
        self.bob = add_user(self.runtime, "bob")
        account = account_of(self.runtime, self.bob)
        enrol_totp(self.app, account)
        enable_email(self.app, account)

    def sign_in(self):
        now = self.clock.now
        new = NewToken(user_id=self.bob.id, created_at=now, expires_at=now + 60)
        with self.runtime.transactions.begin() as session:
            token = add_token(session, new, self.runtime.entropy)
        return self.bob.headers | {"X-Auth-Token": token}

    def has_key(self):
        with self.runtime.transactions.read() as session:
            return session.get(KeyPair, self.bob.id) is not None

    def __call__(self, data):
        """One request, made of the bytes."""
        pick = atheris.FuzzedDataProvider(data)
        self.clock.tick(600)
        method, path = pick.PickValueInList(self.routes)
        names = [pick.PickValueInList(list(HEADERS)) for _ in range(pick.ConsumeIntInRange(0, 3))]
        headers = {name: text(pick, 40) for name in [*names, "X-2fa-Code"]}
        if pick.ConsumeBool():
            headers |= self.sign_in()
        kind, query = pick.PickValueInList(list(TYPES)), text(pick, 30)
        body = field(pick) + pick.ConsumeBytes(200)
        send_raw(self.app, method, path, headers=headers, body=body, query=query, kind=kind)
        assert self.has_key(), "a key was reset without a right proof"


def text(pick, longest):
    """Latin-1 text, without what no server lets through in a header."""
    data = pick.ConsumeBytes(pick.ConsumeIntInRange(0, longest)).decode("latin-1")
    return "".join(c for c in data if c not in "\r\n\0")


def field(pick):
    """The start of an object with a name that some route knows, or nothing."""
    return f'{{"{pick.PickValueInList(list(NAMES))}":'.encode() if pick.ConsumeBool() else b""


if __name__ == "__main__":
    logging.disable(logging.INFO)
    with tempfile.TemporaryDirectory(prefix="e2ereset-fuzz-") as folder:
        atheris.Setup(sys.argv, Target(folder))
        atheris.Fuzz()
