"""What schemathesis needs to know of our server: who asks, and about whom and what.

It is run beside the server, with its variables, and writes into the same database: each request
has a token of its own, as some of them end all tokens of their sender.
"""

import json
import os
import secrets
from pathlib import Path

import schemathesis
from schemathesis.generation import GenerationMode

from e2ereset import get_e2ereset
from e2ereset.server.app import create_app
from e2ereset.server.people.accounts import find_account
from e2ereset.server.people.models import User
from e2ereset.server.rooms.models import Room, Subscription
from e2ereset.server.sessions.tokens import NewToken, add_token
from e2ereset.vault.models import KeyPair

BYPASS = os.environ.get("CONTRACT_BYPASS") == "yes"
"""Whether the tokens skip the second factor, so that what is behind it is met, too."""
SEEN = os.environ.get("CONTRACT_SEEN")
"""The file that gets a line for each answer: the status, and of what."""
KEPT = 5
"""How many people and rooms are left, at least, however many requests delete some."""
# The fields that name somebody or something that is there.
IDS = {"userId": "user", "uid": "user", "rid": "room", "roomId": "room"}
NAMES = {"username": "user", "user": "user", "roomName": "room"}
ROLES = ("role", "roleId", "roleName")
PERMISSION = "leave-p"  # this run needs it for nothing
METHODS = ("2fa:enable", "e2e.resetOwnE2EKey", "nobody.knows.this")


def password_of(name):
    """The first password of this person."""
    return f"a long password of {name}"


def new_person():
    """The body that makes another person."""
    name = f"p{secrets.token_hex(4)}"
    address = f"{name}@example.org"
    return {"username": name, "name": "P", "email": address, "password": password_of(name)}


def new_room(member):
    """The body that makes another room, with this person in it."""
    room = {"name": f"r{secrets.token_hex(4)}", "members": [member]}
    return room | {"extraData": {"encrypted": True}}


def right_body(label, known, token_name):
    """A body that this operation accepts; None where naming what is there is enough."""
    _, _, name = label.rpartition("/")
    person = known["user"][1]
    method = secrets.choice(METHODS)
    call = {"msg": "method", "id": "1", "method": method, "params": []}
    return {
        "login": {"user": person, "password": password_of(person)},
        "users.create": new_person(),
        "groups.create": new_room(person),
        "permissions.addRole": {"permissionId": PERMISSION, "role": "guest"},
        "permissions.removeRole": {"permissionId": PERMISSION, "role": "guest"},
        "permissions.update": {"permissions": [{"_id": PERMISSION, "roles": ["user"]}]},
        "roles.create": {"name": f"r{secrets.token_hex(4)}"},
        "users.sendConfirmationEmail": {"email": "carol@example.org"},
        "users.removePersonalAccessToken": {"tokenName": token_name},
        "users.regeneratePersonalAccessToken": {"tokenName": token_name},
        "{name}": {"message": json.dumps(call)},
    }.get(name)


class Carol:
    """The administrator, who holds all permissions, in the database of this app."""

    def __init__(self, app):
        self.app, self.runtime = app, get_e2ereset(app)
        self.token_name = None
        self.given = set()
        """The tokens that somebody was given, which a link may send again."""

    def headers(self, *, bypass=BYPASS):
        """The headers of a new token of hers; she has a key pair, and suggested keys, or not."""
        with self.app.app_context(), self.runtime.transactions.begin() as session:
            carol, now = find_account(session, "carol").id, int(self.runtime.clock())
            self.token_name = secrets.token_hex(8)
            facts = {"name": self.token_name, "bypass_two_factor": bypass}
            new = NewToken(user_id=carol, created_at=now, expires_at=None, **facts)
            token = add_token(session, new, self.runtime.entropy)
            session.query(KeyPair).filter_by(account_id=carol).delete()
            if secrets.randbelow(2):  # random itself is seeded by hypothesis
                pair = {"public_key": "P", "private_key": "W", "set_at": now}
                session.add(KeyPair(account_id=carol, **pair))
            suggested = {"suggested_key": secrets.choice([None, "K"])}
            session.query(Subscription).filter_by(user_id=carol).update(suggested)
        self.given.add(token)
        return {"X-User-Id": carol, "X-Auth-Token": token}

    def known(self):
        """Somebody and some room that are there now: (id, name) of each; and how many are left."""
        with self.app.app_context(), self.runtime.transactions.read() as session:
            people = session.query(User.id, User.username).filter(User.username != "carol").all()
            rooms = session.query(Room.id, Room.name).all()
        left = min(len(people), len(rooms))
        return {"user": secrets.choice(people), "room": secrets.choice(rooms), "left": left}


if "CONTRACT_BYPASS" in os.environ:
    CAROL = Carol(create_app({"E2ERESET_DELIVERY": "process"}))

    @schemathesis.auth(refresh_interval=None)
    class SignIn:
        """Signs every request in anew, but for those that a link gave a sign-in."""

        def get(self, _case, _context):
            """The headers of a sign-in."""
            return CAROL.headers()

        def set(self, case, headers, _context):
            """Sign the request in."""
            if (case.headers or {}).get("X-Auth-Token") not in CAROL.given:
                case.headers = {**(case.headers or {}), **headers}

    @schemathesis.hook
    def before_call(_context, case, _options):
        """Have most well-formed requests name what is there, or ask for what can be done."""
        well_formed = case.meta and case.meta.generation.mode is GenerationMode.POSITIVE
        if not well_formed or not secrets.randbelow(4):
            return
        known, label = CAROL.known(), case.operation.label
        if label.endswith(".delete") and known["left"] <= KEPT:
            return
        if (body := right_body(label, known, CAROL.token_name)) is not None:
            case.body = body
            return
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
        """Note the answer, and the token that it gives."""
        with Path(SEEN).open("a", encoding="utf-8") as file:
            file.write(f"{response.status_code} {case.operation.label}\n")
        if case.operation.label.endswith("/login") and response.status_code == 200:
            CAROL.given.add(response.json()["data"]["authToken"])
