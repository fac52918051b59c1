"""What is left when workers are killed in the middle of resets, or the mail server is down."""

import queue
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from threading import Event, Thread

import pyotp
import pytest
from live import User, kill_worker, make_live, wait_for
from sqlalchemy import select

from e2ereset import get_e2ereset
from e2ereset.mail.delivery import LEASE_SECONDS
from e2ereset.models import AuditRow, KeyPair, OutboxMail, table
from e2ereset.server.models import Room, Subscription, Token, Waiting
from e2ereset.server.people import NewPerson, add_person
from e2ereset.server.tokens import NewToken, add_token

pytestmark = pytest.mark.slow

USERS, CLIENTS = 600, 8
PAUSE = 0.3  # seconds from one kill to the next


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


@pytest.fixture
def live(tmp_path):
    with make_live(tmp_path) as live:
        yield live


def add_users(app, count):
    """Users with TOTP, a key pair, a room key and two tokens each."""
    runtime, now = get_e2ereset(app), int(time.time())
    with runtime.transactions.begin() as session:
        session.add(Room(id="room", encrypted=True, e2e_key_id="1"))
        users = [_add_user(session, runtime, f"user{n}", now) for n in range(count)]
    for user in users:
        with runtime.transactions.read() as session:
            account = runtime.accounts.get(session, user.id)
        user.totp = pyotp.TOTP(runtime.factors.enrol_totp(account).secret)
    return users


def _add_user(session, runtime, name, now):
    new = NewPerson(username=name, emails=[f"{name}@example.org"], verified=True)
    made = add_person(session, new, now, runtime.entropy)
    session.add(Subscription(user_id=made.id, room_id="room", e2e_key="K", old_keys="[1]"))
    session.add(KeyPair(account_id=made.id, public_key="PUB", private_key="PRIV", set_at=now))
    session.flush()
    login = NewToken(user_id=made.id, created_at=now, expires_at=now + 86400)
    token = add_token(session, login, runtime.entropy)
    personal = NewToken(user_id=made.id, created_at=now, expires_at=None, name="script")
    add_token(session, personal, runtime.entropy)
    return User(made.id, name, {"X-User-Id": made.id, "X-Auth-Token": token})


class Load:
    """Clients that reset the keys of these users, once each; what became of each request."""

    def __init__(self, live, users):
        self._live, self._left = live, queue.SimpleQueue()
        self.succeeded, self.broken, self.refused = [], [], []
        for user in users:
            self._left.put(user)
        self._threads = [Thread(target=self._run) for _ in range(CLIENTS)]

    def start(self):
        for thread in self._threads:
            thread.start()

    def join(self):
        for thread in self._threads:
            thread.join()

    @property
    def done(self):
        return len(self.succeeded) + len(self.broken) + len(self.refused)

    def _run(self):
        while True:
            try:
                user = self._left.get_nowait()
            except queue.Empty:
                return
            self._reset(user)

    def _reset(self, user):
        try:
            answer = self._live.reset(user, code=user.totp.now(), method="totp")
        except ConnectionRefusedError:
            # Nobody listened: the request never came in, and its client comes again.
            self._left.put(user)
            time.sleep(0.05)
        except (OSError, HTTPException):
            self.broken.append(user)
        else:
            (self.succeeded if answer.status == 200 else self.refused).append((user, answer))


@contextmanager
def dying_workers(live):
    """Kill one worker after another while the block runs; the list of the dead."""
    dead, over = [], Event()

    def run():
        while not over.wait(PAUSE):
            for worker in live.workers()[:1]:
                kill_worker(worker)
                dead.append(worker)

    thread = Thread(target=run)
    thread.start()
    try:
        yield dead
    finally:
        over.set()
        thread.join()


def states(app, users):
    """The state of every user, by id."""
    counts = {user.id: [0] * 6 for user in users}
    pairs, audit, outbox = (table(model).c for model in (KeyPair, AuditRow, OutboxMail))
    keys, tokens, waiting = (table(m).c for m in (Subscription, Token, Waiting))
    by_address = {user.address: user.id for user in users}
    queries = [
        select(pairs.account_id),
        select(keys.user_id).where(keys.e2e_key.is_not(None) & keys.old_keys.is_not(None)),
        select(tokens.user_id),
        select(waiting.user_id),
        select(audit.target).where(audit.action == "reset-e2e-key", audit.outcome == "reset"),
        select(outbox.recipient).where(outbox.kind == "key-reset"),
    ]
    with get_e2ereset(app).transactions.read() as session:
        for place, query in enumerate(queries):
            for owner in session.scalars(query):
                counts[by_address.get(owner, owner)][place] += 1
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


def notices(inbox):
    """The addresses that got the notice of a reset, and the ids of those mails."""
    mails = [mail for mail in inbox.mails if "reset" in mail["Subject"].lower()]
    return {mail["To"] for mail in mails}, {(mail["To"], mail["Message-ID"]) for mail in mails}


def test_killed_workers_leave_every_reset_whole(live):
    with live.app() as app:
        users = add_users(app, USERS)
        first, second = Load(live, users[: USERS // 2]), Load(live, users[USERS // 2 :])
        with dying_workers(live) as dead:
            first.start()
            first.join()
        second.start()
        wait_for(lambda: second.done > USERS // 8, "resets under way")
        live.kill()
        live.start()
        second.join()
        assert len(dead) >= 3
        assert first.broken, "no worker died in the middle of a request"
        assert second.broken, "gunicorn did not die in the middle of a request"
        reset = assert_whole(live, app, users, [first, second])
    live.stop()
    assert_audit_is_whole(live)
    # What a dead worker was sending is due again when its lease is over.
    with live.app(clock=lambda: time.time() + LEASE_SECONDS + 1) as app:
        get_e2ereset(app).deliverer.deliver_due()
        get_e2ereset(app).sealer.seal()
    addresses, mails = notices(live.inbox)
    assert addresses == reset
    assert len(mails) == len(reset), "a mail that was sent twice has one Message-ID"
    assert_audit_is_whole(live)


@pytest.mark.parametrize("down_for", [60.0])
def test_a_mail_server_that_is_down_delays_mails_and_nothing_else(live, down_for):
    with live.app() as app:
        users = add_users(app, 8)
        wait_for(lambda: len(live.inbox.mails) == 8, "the notices of eight enrolments")
        live.inbox.stop()
        down_until = time.monotonic() + down_for
        assert [live.reset(user, code=user.totp.now()).status for user in users] == [200] * 8
        time.sleep(max(0, down_until - time.monotonic()))
        assert len(live.inbox.mails) == 8
        assert_whole(live, app, users, [])
    live.inbox.start()
    wait_for(lambda: len(live.inbox.mails) == 16, "the notices of eight resets")
    assert notices(live.inbox)[0] == {user.address for user in users}
