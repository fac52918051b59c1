"""The soak's checker: it finds nothing after a right run, and names what is wrong after others."""

import time
from dataclasses import replace

import pytest
from sqlalchemy import delete, insert, update

from bench.soak.checker import Mail, check, read_found
from bench.soak.client import Client, Move
from bench.soak.http import Answer, Line
from bench.soak.outages import BROKEN
from bench.soak.people import ROOMS, Person
from bench.soak.record import Record
from bench.soak.states import State
from bench.soak.traffic.after import after_reset
from e2ereset.audit.models import AuditRow
from e2ereset.server.rooms.models import Subscription
from e2ereset.server.sessions.models import Token
from e2ereset.vault.models import KeyPair

pytestmark = pytest.mark.slow


class Run:
    """A run of one client with one person, who has reset their key once and signed in again."""

    def __init__(self, world, engine):
        self.world, self.engine = world, engine
        user = world.person("bob", totp=True)
        for room in ROOMS:
            world.room(room, user)
        before = State(pair="PUB", room_keys=2, tokens=1, backup_codes=12, others=1)
        facts = {"kind": "totp", "addresses": ("bob@x.org",), "password": ""}
        self.bob = Person(id=user.id, name="bob", state=before, **facts)
        self.bob.sign_in(user.headers["X-Auth-Token"])
        assert world.reset(user, code=world.code(user)).status_code == 200
        self.bob.state = after_reset(self.bob)
        self.bob.sign_out_all()
        self.bob.sign_in(world.sign_in(user.id)["X-Auth-Token"])
        self.bob.state = replace(self.bob.state, tokens=1)
        world.runtime.worker.run_due()
        self.record = Record(people=[self.bob], addresses={"127.0.0.1"})
        self.arrivals = [self.mail("factor", "other"), self.mail("reset", "notice")]

    def mail(self, message_id, kind):
        return Mail(at=100.0, recipient="bob@x.org", message_id=message_id, kind=kind)

    def findings(self, audit_problem=""):
        told = {"arrivals": self.arrivals, "audit_problem": audit_problem}
        with self.engine.connect() as connection:
            return check(self.record, read_found(connection, [self.bob], **told))

    def change(self, statement):
        with self.engine.begin() as connection:
            connection.execute(statement)

    def client(self):
        line = Line(0, "127.0.0.1")
        return Client(line, [self.bob], record=self.record, relay=None, engine=self.engine)


@pytest.fixture
def run(world, engine):
    return Run(world, engine)


@pytest.fixture
def kinds(run):
    """What the findings are about, without the details."""
    return lambda **options: {words.partition(":")[0] for words in run.findings(**options)}


def test_nothing_is_found_after_a_right_run(run):
    assert run.findings() == []


def test_a_lost_audit_row_is_found(run, kinds):
    run.change(delete(AuditRow).where(AuditRow.action == "reset-e2e-key"))
    assert kinds() == {"lost audit row"}


def test_a_reset_that_nobody_asked_for_is_found(run, kinds):
    run.bob.state = replace(run.bob.state, resets=0)
    assert kinds() == {"reset without a request"}


def test_a_half_done_reset_is_found(run, kinds):
    run.change(update(Subscription).values(e2e_key="K"))
    assert kinds() == {"half done"}


def test_a_key_pair_that_came_back_is_found(run, kinds):
    pair = {"account_id": run.bob.id, "public_key": "PUB", "private_key": "PRIV", "set_at": 0}
    run.change(insert(KeyPair).values(pair))
    assert kinds() == {"half done"}


def test_a_dead_token_that_lives_is_found(run, kinds):
    [dead] = run.bob.dead
    run.change(update(Token).values(digest=dead))
    assert kinds() == {"dead token alive", "live token gone"}


def test_a_mail_that_is_still_queued_is_found(run, kinds):
    run.world.runtime.factors.set_email(run.world.account(run.bob), True)
    run.bob.state = replace(run.bob.state, others=2)
    assert kinds() == {"lost mail"}


def test_a_mail_that_never_came_is_found(run, kinds):
    run.arrivals.pop()
    assert kinds() == {"lost mail"}


def test_a_second_mail_of_one_reset_is_found(run, kinds):
    run.arrivals.append(run.mail("another", "notice"))
    assert kinds() == {"double mail"}


def test_the_same_mail_again_is_found_unless_there_was_an_outage(run, kinds):
    run.arrivals.append(run.arrivals[-1])
    assert kinds() == {"double mail"}
    with run.record.outages.declare("worker", "killed"):
        now = time.time()
    run.arrivals = [replace(arrival, at=now) for arrival in run.arrivals]
    assert kinds() == set()


def test_a_mail_to_an_address_that_is_not_verified_is_found(run, kinds):
    run.arrivals.append(replace(run.mail("stray", "notice"), recipient="eve@x.org"))
    assert kinds() == {"stray mail"}


def test_a_broken_audit_log_is_found(kinds):
    assert kinds(audit_problem="Row 3 was changed.") == {"audit log"}


def test_an_audit_row_from_nowhere_is_found(run, kinds):
    run.record.addresses = {"127.0.1.1"}
    assert kinds() == {"wrong address"}


# A client finds these while the traffic runs.


def answering(kind):
    return lambda: Answer(kind=kind, body={}, start=time.time(), end=time.time())


def a_reset(run, kind, **after):
    wanted = replace(after_reset(run.bob), **after)
    return Move(what="reset", send=answering(kind), right="200", after={run.bob: wanted})


def settle(run, move):
    """Play a move that gets no answer because of an outage; what the client says of it."""
    client = run.client()
    with run.record.outages.declare("database", "gone"):
        assert client.play(move) is None
    client.settle_due(all_of_them=True)
    return run.record.findings


def test_a_second_use_of_a_code_that_succeeds_is_found(run):
    move = replace(a_reset(run, "200"), what="spent code", right="400 totp-invalid")
    assert run.client().play(move) is None
    assert "answered 200, not 400 totp-invalid" in run.record.findings[0]


def test_a_503_outside_of_an_outage_is_found(run):
    run.client().play(a_reset(run, "503"))
    assert "in no outage" in run.record.findings[0]


def test_a_request_without_an_answer_may_have_done_nothing(run):
    assert settle(run, a_reset(run, BROKEN)) == []
    assert run.record.settled == {"nothing": 1}


def test_a_request_without_an_answer_may_have_done_all(run):
    done = run.bob.state
    run.bob.state = replace(done, pair="PUB", tokens=2, resets=0, notices=0)
    assert settle(run, replace(a_reset(run, "503"), after={run.bob: done})) == []
    assert run.record.settled == {"all of it": 1}


def test_a_request_that_has_done_a_half_is_found(run):
    run.bob.state = replace(run.bob.state, pair="PUB")
    findings = settle(run, a_reset(run, "503"))
    assert "half done" in findings[0]
