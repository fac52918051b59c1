"""A server with people in it, driven over HTTP by a test that owns its clock."""

import copy
import hashlib
from dataclasses import dataclass
from functools import partial

import pyotp
import pytest
from sqlalchemy import select

from e2ereset import get_e2ereset
from e2ereset.audit.models import AuditRow
from e2ereset.jobs.models import Job
from e2ereset.server.rooms.models import Room, Subscription, Waiting
from e2ereset.server.sessions.models import Token
from e2ereset.server.sessions.tokens import NewToken, add_token
from e2ereset.server.tables import db
from e2ereset.store.tables import table
from e2ereset.vault.models import KeyPair
from tests.kit.client import API, LOGIN, RESET, SEND_CODE, SET_KEYS
from tests.kit.live import PAIR, at_once
from tests.kit.server import HASHER, make_user
from tests.kit.states import account_of, enrol_totp


@dataclass
class Person:
    """A user of the server: how it signs its requests and makes its codes."""

    id: str
    username: str
    headers: dict
    totp: pyotp.TOTP | None = None
    backup_codes: tuple = ()


class World:
    """Makes people, sends their requests, and looks into the database and the mail box."""

    def __init__(self, app, session, clock):
        self.app, self.session, self.clock = app, session, clock
        self.client = app.test_client()
        self.runtime = get_e2ereset(app)
        with app.app_context():
            self.engine = db.engine

    def person(self, name, *, totp=False, email=False, key=True, **facts):
        """A user with a login token, and what is asked for."""
        password = facts.pop("password", None)
        if password:
            facts["password_hash"] = HASHER.hash(password)
        facts.setdefault("emails", [f"{name}@x.org"])
        user = make_user(self.session, name, **facts)
        self.session.commit()
        person = Person(user.id, name, self.sign_in(user.id))
        if totp:
            person.totp, person.backup_codes = enrol_totp(self.runtime, person)
        if email:
            self.runtime.factors.set_email(self.account(person), True)
        if key:
            self.set_key(person)
        return person

    def account(self, person):
        return account_of(self.runtime, person)

    def sign_in(self, user_id, **facts):
        """Headers of a new token."""
        facts = {"expires_at": self.clock.now + 86400} | facts
        new = NewToken(user_id=user_id, created_at=self.clock.now, **facts)
        token = add_token(self.session, new, self.runtime.entropy)
        self.session.commit()
        return {"X-User-Id": user_id, "X-Auth-Token": token}

    def again(self, person):
        """Sign in anew somebody whose reset has ended the sign-in."""
        person.headers = self.sign_in(person.id)
        return person

    def login(self, user="bob", password="pw", *, headers=None, address="127.0.0.1", **more):
        """Sign in from this address, with more in the body."""
        body = {"user": user, "password": password, **more}
        where = {"REMOTE_ADDR": address}
        return self.client.post(LOGIN, json=body, headers=headers, environ_base=where)

    def set_key(self, person):
        assert self.client.post(SET_KEYS, json=PAIR, headers=person.headers).status_code == 200

    def room(self, rid, *people, encrypted=True, keys=True):
        """A room of these people; with `keys` each has one, and a suggestion and an old one."""
        self.session.add(Room(id=rid, encrypted=encrypted))
        self.session.flush()
        given = {
            "e2e_key": "K",
            "suggested_key": "S",
            "suggested_old_keys": "[]",
            "old_keys": "[1]",
        }
        for person in people:
            self.session.add(Subscription(user_id=person.id, room_id=rid, **given if keys else {}))
        self.session.commit()

    def code(self, person):
        return person.totp.at(self.clock.now)

    def reset(self, person, body=None, *, code=None, method=None, **options):
        """POST a reset as this person."""
        proof = {"x-2fa-code": code, "x-2fa-method": method}
        headers = dict(person.headers) | options.pop("headers", {})
        headers |= {name: value for name, value in proof.items() if value is not None}
        return self.client.post(RESET, headers=headers, **{"json": body} | options)

    def wrong(self, person, times, **options):
        """So many resets with a wrong code; what each is refused with."""
        return [error(self.reset(person, code="000000", **options)) for _ in range(times)]

    def fail(self, person, times=100, purpose="verify:totp"):
        """So many failures in a row, long ago; a hundred lock what they are charged to."""
        with self.runtime.transactions.begin() as session:
            charge = partial(self.runtime.budgets.charge_in, session, person.id, purpose)
            for _ in range(times):
                charge(windows=((1, 999),) * 3, now=1, guess=True)

    def at_once(self, person, times, **options):
        """So many resets by as many threads, released together; their answers."""
        twins = [self.through(self.app) for _ in range(times)]
        return at_once([partial(twin.reset, person, **options) for twin in twins])

    def ask_again(self, name, headers=None):
        """Ask for a fresh code, and have the worker come by."""
        answer = self.client.post(SEND_CODE, json={"emailOrUsername": name}, headers=headers)
        self.runtime.worker.run_due()
        return answer

    def through(self, app):
        """The same world through another worker, or one of other settings."""
        twin = copy.copy(self)
        twin.app, twin.client, twin.runtime = app, app.test_client(), get_e2ereset(app)
        return twin

    def permit(self, permission, role, allowed=True):
        permissions = self.runtime.permissions
        with self.runtime.transactions.begin() as session:
            (permissions.grant if allowed else permissions.revoke)(session, permission, role)

    def has_key(self, person):
        return bool(self.rows(KeyPair, account_id=person.id))

    def tokens(self, person):
        return len(self.rows(Token, user_id=person.id))

    def subscriptions(self, person):
        return self.rows(Subscription, user_id=person.id)

    def waiting(self, person):
        return {row.room_id for row in self.rows(Waiting, user_id=person.id)}

    def rows(self, model, **where):
        """The rows that have these values, in the order of their keys."""
        self.session.rollback()
        keys = table(model).primary_key
        rows = self.session.scalars(select(model).filter_by(**where).order_by(*keys)).all()
        self.session.expunge_all()
        return rows

    def outcomes(self):
        """The audit log: (action, caller, target, method, outcome), oldest first."""
        rows = self.rows(AuditRow)
        return [(row.action, row.caller, row.target, row.method, row.outcome) for row in rows]

    def queued(self, kind):
        """(recipient, facts) of the queued mails of a kind, oldest first."""
        rows = self.rows(Job, kind=kind)
        return [(row.recipient, self.runtime.jobs.facts(row)) for row in rows if row.sealed]

    def mailed_code(self):
        return self.queued("code")[-1][1]["code"]

    def count_codes(self):
        """How many codes were mailed, delivered or not; what only asks for one is done."""
        assert not self.rows(Job, kind="code-asked")
        return len(self.rows(Job, kind="code"))

    def told(self):
        """What owners were told of changes of their factors, oldest first."""
        return [facts["change"] for _, facts in self.queued("factor-changed")]


@pytest.fixture
def world(app, session, clock):
    """A server with all its tables and nobody in it."""
    return World(app, session, clock)


@pytest.fixture
def with_settings(world, make_server, config):
    """Gives the same world through a server with some settings changed."""
    return lambda **changes: world.through(make_server(config | changes))


@pytest.fixture
def bob(world):
    """Somebody with TOTP."""
    return world.person("bob", totp=True)


@pytest.fixture
def eve(world):
    """Somebody with mailed codes."""
    return world.person("eve", email=True)


@pytest.fixture
def admin(world):
    """An administrator with TOTP."""
    return world.person("root", totp=True, roles=["admin"])


def error(response):
    """The code of a refusal."""
    assert response.status_code in (400, 401), response.data
    return response.json.get("errorType") or response.json["error"]


def api_routes(app):
    """(method, path) of every route of the API, by path."""
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith(API)]
    return sorted({(m, rule.rule) for rule in rules for m in rule.methods - {"HEAD", "OPTIONS"}})


def enveloped_routes(app):
    """Those of them whose every answer is in the envelope, as no document is."""
    return [(m, path) for m, path in api_routes(app) if "/openapi." not in path]


def break_table(engine, name):
    """Have every statement on this table fail from now on."""
    with engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {name} RENAME TO gone")


def mend_table(engine, name):
    """Undo `break_table`."""
    with engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE gone RENAME TO {name}")


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()
