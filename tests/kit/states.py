"""What a reset changes, read from the database: all of it, or nothing, for each user."""

from dataclasses import dataclass

import pyotp
from sqlalchemy import select

from e2ereset import get_e2ereset
from e2ereset.audit.models import AuditRow
from e2ereset.audit.verify import verify
from e2ereset.jobs.models import Job
from e2ereset.server.people.service import NewPerson, add_person
from e2ereset.server.rooms.models import Room, Subscription, Waiting
from e2ereset.server.sessions.models import Token
from e2ereset.server.sessions.tokens import NewToken, add_token
from e2ereset.store.tables import table
from e2ereset.vault.models import KeyPair
from tests.kit.live import User


@dataclass(frozen=True)
class State:
    """All that a reset changes for one user; a reset changes all of it, or nothing."""

    pairs: int
    room_keys: int
    tokens: int
    waits: int
    audit_rows: int
    notices: int


UNTOUCHED = State(pairs=1, room_keys=1, tokens=2, waits=0, audit_rows=0, notices=0)
RESET = State(pairs=0, room_keys=0, tokens=0, waits=1, audit_rows=1, notices=1)


def add_users(app, count):
    """Users with TOTP, a key pair, a room key and two tokens each."""
    runtime = get_e2ereset(app)
    users = [add_user(runtime, f"user{n}") for n in range(count)]
    for user in users:
        user.totp = enrol_totp(runtime, user)[0]
    return users


def add_user(runtime, name, *, rooms=("room",), bypass=False, **facts):
    """A user with a key pair, room keys and two tokens: of a login, and a personal one."""
    now = int(runtime.clock())
    facts = {"emails": [f"{name}@example.org"], "verified": True} | facts
    with runtime.transactions.begin() as session:
        session.add_all(
            Room(id=room, encrypted=True, e2e_key_id="1")
            for room in rooms
            if session.get(Room, room) is None
        )
        session.flush()
        made = add_person(session, NewPerson(username=name, **facts), now, runtime.entropy)
        of = {"user_id": made.id, "created_at": now}
        session.add_all(
            Subscription(user_id=made.id, room_id=room, e2e_key="K", old_keys="[1]")
            for room in rooms
        )
        session.add(KeyPair(account_id=made.id, public_key="PUB", private_key="PRIV", set_at=now))
        session.flush()
        login = NewToken(**of, expires_at=now + 86400)
        personal = NewToken(**of, expires_at=None, name="script", bypass_two_factor=bypass)
        tokens = tuple(add_token(session, new, runtime.entropy) for new in (login, personal))
    headers = {"X-User-Id": made.id, "X-Auth-Token": tokens[0]}
    return User(made.id, name, headers, tokens=tokens)


def enrol_totp(runtime, user, **options):
    """What makes the user's codes from now on, and backup codes."""
    enrolment = runtime.factors.enrol_totp(account_of(runtime, user), **options)
    return pyotp.TOTP(enrolment.secret), enrolment.backup_codes


def account_of(runtime, user):
    with runtime.transactions.read() as session:
        return runtime.accounts.get(session, user.id)


def states(app, users):
    """The state of each of these users, by id."""
    counts = {user.id: [0] * 6 for user in users}
    pairs, audit, outbox = (table(model).c for model in (KeyPair, AuditRow, Job))
    keys, tokens, waiting = (table(m).c for m in (Subscription, Token, Waiting))
    by_address = {user.address: user.id for user in users}
    queries = [
        select(pairs.account_id),
        select(keys.user_id).where(keys.e2e_key.is_not(None) & keys.old_keys.is_not(None)),
        select(tokens.user_id),
        select(waiting.user_id),
        select(audit.target).where(audit.outcome == "reset"),
        select(outbox.recipient).where(outbox.kind == "key-reset"),
    ]
    with get_e2ereset(app).transactions.read() as session:
        for place, query in enumerate(queries):
            for owner in session.scalars(query):
                if count := counts.get(by_address.get(owner, owner)):
                    count[place] += 1
    return {owner: State(*numbers) for owner, numbers in counts.items()}


def assert_whole(live, app, users, loads):
    """No key is half reset; what was answered with success is reset; no dead token lives."""
    found = states(app, users)
    assert set(found.values()) <= {UNTOUCHED, RESET}
    for load in loads:
        assert not load.refused
        assert all(found[user.id] == RESET for user, _ in load.succeeded)
    for user in users:
        expected = 401 if found[user.id] == RESET else 200
        assert live.call("GET", "/api/v1/me", user.headers).status == expected
    return {user.address for user in users if found[user.id] == RESET}


def assert_audit_is_whole(live):
    done = live.run_cli("audit", "verify")
    assert done.returncode == 0, done.stdout


def assert_log_is_whole(runtime):
    """The audit log of this process, sealed to its end."""
    runtime.sealer.seal()
    with runtime.transactions.read() as session:
        assert list(verify(session, runtime.keyring)) == []
