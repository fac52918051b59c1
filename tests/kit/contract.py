"""What schemathesis needs to know of our server: who asks, and about whom and what.

It is run beside the server, with its variables, and writes into the same database: each request
has a token of its own, as some of them end all tokens of their sender.
"""

import os
import secrets
from pathlib import Path

import schemathesis
from schemathesis.generation import GenerationMode

from e2ereset import get_e2ereset
from e2ereset.server.app import create_app
from e2ereset.server.people.accounts import find_account
from e2ereset.server.people.models import User
from e2ereset.server.rooms.models import Room
from e2ereset.server.sessions.tokens import NewToken, add_token
from e2ereset.vault.models import KeyPair

BYPASS = os.environ.get("CONTRACT_BYPASS") == "yes"
"""Whether the tokens skip the second factor, so that what is behind it is met, too."""
SEEN = os.environ.get("CONTRACT_SEEN")
"""The file that gets a line for each answer: the status, and of what."""
# The fields that name somebody or something that is there.
IDS = {"userId": "user", "uid": "user", "rid": "room", "roomId": "room"}
NAMES = {"username": "user", "user": "user", "roomName": "room"}
ROLES = ("role", "roleId", "roleName")


class Carol:
    """The administrator, who holds all permissions, in the database of this app."""

    def __init__(self, app):
        self.app, self.runtime = app, get_e2ereset(app)

    def headers(self, *, bypass=BYPASS):
        """The headers of a new token of hers."""
        with self.app.app_context(), self.runtime.transactions.begin() as session:
            carol, now = find_account(session, "carol").id, int(self.runtime.clock())
            facts = {"name": secrets.token_hex(8), "bypass_two_factor": bypass}
            new = NewToken(user_id=carol, created_at=now, expires_at=None, **facts)
            token = add_token(session, new, self.runtime.entropy)
            session.query(KeyPair).filter_by(account_id=carol).delete()
            if secrets.randbelow(2):  # random itself is seeded by hypothesis
                pair = {"public_key": "P", "private_key": "W", "set_at": now}
                session.add(KeyPair(account_id=carol, **pair))
        return {"X-User-Id": carol, "X-Auth-Token": token}

    def known(self):
        """Somebody and some room that are there now: (id, name) of each."""
        with self.app.app_context(), self.runtime.transactions.read() as session:
            people = [(u.id, u.username) for u in session.query(User) if u.username != "carol"]
            rooms = [(room.id, room.name) for room in session.query(Room)]
        return {"user": secrets.choice(people), "room": secrets.choice(rooms)}


if "CONTRACT_BYPASS" in os.environ:
    CAROL = Carol(create_app({"E2ERESET_DELIVERY": "process"}))

    @schemathesis.auth(refresh_interval=None)
    class SignIn:
        """Signs every request in anew."""

        def get(self, _case, _context):
            """The headers of a sign-in."""
            return CAROL.headers()

        def set(self, case, headers, _context):
            """Sign the request in."""
            case.headers = {**(case.headers or {}), **headers}

    @schemathesis.hook
    def before_call(_context, case, _options):
        """Have most well-formed requests name what is there."""
        well_formed = case.meta and case.meta.generation.mode is GenerationMode.POSITIVE
        if not well_formed or not secrets.randbelow(4):
            return
        known = CAROL.known()
        for place in (case.body, case.query):
            for name in place if isinstance(place, dict) else ():
                if name in IDS:
                    place[name] = known[IDS[name]][0]
                elif name in NAMES:
                    place[name] = known[NAMES[name]][1]
                elif name in ROLES:
                    place[name] = secrets.choice(["user", "guest"])

    @schemathesis.hook
    def after_call(_context, case, response):
        """Note the answer."""
        with Path(SEEN).open("a", encoding="utf-8") as file:
            file.write(f"{response.status_code} {case.operation.label}\n")
