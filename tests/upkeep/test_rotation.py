"""`keys rotate`: everything comes under the newest key while people go on, and old keys can go."""

import json
from dataclasses import replace
from itertools import islice

import pyotp
import pytest
from sqlalchemy import Column, MetaData, String, Table, insert, select, update

from e2ereset import Action
from e2ereset.audit.models import AuditHead, AuditRow
from e2ereset.cli.keys import make_rotation
from e2ereset.crypto import KeyRing
from e2ereset.errors import EnrolmentInvalid
from e2ereset.factors.changes import FactorChanges
from e2ereset.factors.enrolment import Factors
from e2ereset.factors.models import Totp
from e2ereset.factors.strategies.totp import TotpStrategy
from e2ereset.jobs.models import Job
from e2ereset.records import Attempt
from e2ereset.store.retained import Encrypted
from e2ereset.store.tables import table
from e2ereset.upkeep.rotation import Rotation
from tests.kit.rows import row
from tests.kit.server import NOW
from tests.kit.states import assert_log_is_whole
from tests.kit.world import World

pytestmark = pytest.mark.long

OLD, NEW = "the old key, the old key", "the new key, the new key"
IDS = {key: KeyRing([key]).newest for key in (OLD, NEW)}
TOTPS = table(Totp)
CODES = {"code": World.code, "backup code": lambda _, bob: bob.backup_codes[0]}


@pytest.fixture
def serve(make_server, config, engine, session, clock):
    """Serves the same database with these secret keys, newest first."""

    def serve(*keys, **more):
        more["E2ERESET_SECRET_KEYS"] = list(keys)
        return World(make_server(config | more), session, clock)

    return serve


@pytest.fixture
def before(serve):
    """The server with the old key only, in which bob has TOTP."""
    world = serve(OLD)
    world.bob = world.person("bob", totp=True)
    return world


@pytest.fixture
def world(serve, before):
    """The same, with a new key in front of the old one."""
    world = serve(NEW, OLD)
    world.bob = before.bob
    return world


def rotate(world, *options):
    return world.app.test_cli_runner().invoke(args=["keys", "rotate", *options])


def report(world, *options):
    return json.loads(rotate(world, "--json", *options).output)


def needed(found):
    """What the old key is needed for."""
    (key,) = [key for key in found["keys"] if key["key"] == IDS[OLD]]
    return {use["what"]: use["count"] for use in key["neededFor"]}


def secret_of(world, person):
    (row,) = world.rows(Totp, account_id=person.id)
    return row.secret


def write(world, statement):
    with world.runtime.transactions.begin() as session:
        session.execute(statement)


# What comes under the newest key


def test_afterwards_the_old_key_can_go(world):
    found = report(world)
    assert found["unreadable"] == []
    last = world.rows(AuditRow)[-1]
    assert (last.action, last.outcome) == ("rotate-keys", f"renewed {found['renewed']}")
    assert [(key["place"], key["key"]) for key in found["keys"]] == [(1, IDS[NEW]), (2, IDS[OLD])]
    assert needed(found) == {}
    result = rotate(world, "--check")
    assert result.exit_code == 0
    assert f"Key 2, {IDS[OLD]}, can be taken out of E2ERESET_SECRET_KEYS." in result.output


def test_before_it_the_check_says_what_the_old_key_is_needed_for(world):
    world.runtime.sealer.seal()
    result = rotate(world, "--check", "--json")
    assert result.exit_code == 1
    kinds = {"e2ereset_totp.secret", "e2ereset_outbox.sealed"}
    assert kinds <= set(needed(json.loads(result.output)))
    assert secret_of(world, world.bob).startswith(IDS[OLD])


def test_a_single_key_leaves_nothing_to_do(before):
    assert report(before)["renewed"] == 0
    assert rotate(before, "--check").exit_code == 0


@row("12.11.2.2")
@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_codes_pass_without_the_old_key(world, serve, code):
    rotate(world)
    assert serve(NEW).reset(world.bob, code=code(world, world.bob)).status_code == 200


def test_queued_mails_are_delivered_without_the_old_key(world, serve):
    rotate(world)
    waiting = [row for row in world.rows(Job) if row.sealed]
    assert serve(NEW).runtime.worker.run_due() == len(waiting) > 0


def test_the_audit_log_verifies_without_the_old_key(before, serve):
    before.reset(before.bob, code=before.code(before.bob))
    before.runtime.sealer.seal()
    rotate(serve(NEW, OLD))
    after = serve(NEW)
    assert after.rows(AuditHead)
    assert_log_is_whole(after.runtime)


def test_a_pending_enrolment_can_be_confirmed_without_the_old_key(before, serve):
    eve = before.person("eve")
    secret = before.runtime.factors.begin_totp(before.account(eve)).secret
    rotate(serve(NEW, OLD))
    after = serve(NEW)
    code = pyotp.TOTP(secret).at(NOW)
    assert len(after.runtime.factors.confirm_totp(after.account(eve), code)) == 12


def test_a_mailed_code_keeps_the_old_key_until_it_has_expired(before, serve, clock):
    ann = before.person("ann", email=True)
    before.reset(ann)
    world = serve(NEW, OLD)
    result = rotate(world)
    assert result.exit_code == 0
    assert f"{IDS[OLD]}, must stay for: 1 mailed codes until 2027-01-15T08:10" in result.output
    assert rotate(world, "--check").exit_code == 1
    clock.now += 600
    assert rotate(world, "--check").exit_code == 0


def test_what_a_strategy_of_a_host_has_encrypted_comes_along(serve, engine):
    notes = Table(
        "notes", MetaData(), Column("id", String(9), primary_key=True), Column("text", String)
    )
    notes.create(engine)

    class NoteStrategy(TotpStrategy):
        name = "note"
        encrypted = (Encrypted(notes.c.text, "note"),)

    world = serve(NEW, OLD, E2ERESET_METHODS=[NoteStrategy])
    row = {"id": "bob", "text": KeyRing([OLD]).encrypt("note", "bob", "hello")}
    write(world, insert(notes).values(row))
    assert report(world)["renewed"] == 1
    with engine.connect() as connection:
        text = connection.scalar(select(notes.c.text))
    assert KeyRing([NEW]).decrypt("note", "bob", text) == "hello"


# Running it


def test_a_killed_run_is_finished_by_the_next(before, serve):
    people = [before.person(f"p{n}", totp=True) for n in range(5)]
    world = serve(NEW, OLD)
    done = sum(batch.renewed for batch in islice(make_rotation(world.runtime).rotate(1), 3))
    assert done == 3
    secrets = [secret_of(world, person) for person in [*people, before.bob]]
    assert sum(secret.startswith(IDS[NEW]) for secret in secrets) == 3
    assert needed(report(world)) == {}
    assert report(world)["renewed"] == 0


def test_what_changed_since_it_was_read_is_not_overwritten(world):
    def change(row):
        write(world, update(TOTPS).values(secret=f"{IDS[NEW]}:changed"))
        return row.account_id

    rotation = Rotation(world.runtime, [Encrypted(TOTPS.c.secret, "totp", change)])
    assert sum(batch.renewed for batch in rotation.rotate(10)) == 0
    assert secret_of(world, world.bob) == f"{IDS[NEW]}:changed"


@pytest.mark.parametrize(
    "lost", ["no text that was ever encrypted", f"{IDS[OLD]}:AAAA", "00000000:AAAA"]
)
def test_a_text_that_no_key_opens_is_told_of_and_stops_nothing(before, serve, lost):
    before.person("zoe", totp=True)
    write(before, update(TOTPS).where(TOTPS.c.account_id == before.bob.id).values(secret=lost))
    result = rotate(serve(NEW, OLD), "--json")
    assert result.exit_code == 1
    assert json.loads(result.output)["unreadable"] == ["e2ereset_totp.secret of id-of-bob"]
    assert lost not in result.output
    assert len([row for row in before.rows(Totp) if row.secret.startswith(IDS[NEW])]) == 1


def test_a_key_that_is_in_the_list_no_more_is_missed(world, serve):
    result = rotate(serve(NEW), "--check")
    assert result.exit_code == 1
    assert "E2ERESET_SECRET_KEYS lacks the key of: 1 e2ereset_totp.secret." in result.output


def test_no_secret_is_printed(world):
    output = rotate(world).output
    assert not any(word in output for word in (OLD, NEW, world.bob.totp.secret))


# Beside the traffic


class Interrupted(KeyRing):
    """A ring that lets something happen between the reading of a text and its opening, once."""

    meanwhile = None

    def decrypt(self, purpose, context, encrypted):
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            meanwhile()
        return super().decrypt(purpose, context, encrypted)


@pytest.fixture
def ring():
    return Interrupted([NEW, OLD])


@pytest.fixture
def parts(world, ring):
    return replace(world.runtime, keyring=ring)


@pytest.fixture
def verify(world, parts):
    """Whether a code of bob's is right."""
    account = world.account(world.bob)
    action = Action(name="reset", target=account.id, phrase="reset")

    def verify(code):
        with world.runtime.transactions.begin() as session:
            attempt = Attempt(account=account, action=action, now=NOW, session=session)
            return TotpStrategy(parts).verify(attempt, code)

    return verify


@pytest.fixture
def factors(world, parts):
    budgets = world.runtime.budgets
    return Factors(parts, budgets, FactorChanges(parts, budgets))


def enrol_again(world):
    account = world.account(world.bob)
    world.runtime.factors.disable_totp(account)
    return world.runtime.factors.enrol_totp(account)


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_a_right_code_passes_though_its_secret_is_encrypted_again_meanwhile(
    world, ring, verify, code
):
    ring.meanwhile = lambda: rotate(world)
    assert verify(code(world, world.bob))
    assert secret_of(world, world.bob).startswith(IDS[NEW])


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_a_former_code_does_not_pass_an_enrolment_made_meanwhile(world, ring, verify, code):
    ring.meanwhile = lambda: enrol_again(world)
    assert not verify(code(world, world.bob))


def test_a_spent_code_stays_spent_though_its_secret_is_encrypted_again_meanwhile(
    world, ring, verify
):
    assert verify(world.code(world.bob))
    ring.meanwhile = lambda: rotate(world)
    assert not verify(world.code(world.bob))


def begin(world):
    world.eve = world.person("eve")
    return world.runtime.factors.begin_totp(world.account(world.eve)).secret


def test_a_first_code_passes_though_the_secret_is_encrypted_again_meanwhile(
    before, serve, ring, world, factors
):
    code = pyotp.TOTP(begin(before)).at(NOW)
    ring.meanwhile = lambda: rotate(world)
    assert factors.confirm_totp(before.account(before.eve), code)
    assert secret_of(before, before.eve).startswith(IDS[NEW])


def test_a_first_code_does_not_confirm_a_secret_that_was_begun_meanwhile(world, ring, factors):
    code = pyotp.TOTP(begin(world)).at(NOW)
    eve = world.account(world.eve)
    ring.meanwhile = lambda: world.runtime.factors.begin_totp(eve)
    with pytest.raises(EnrolmentInvalid):
        factors.confirm_totp(eve, code)
    assert secret_of(world, world.eve) is None


def test_a_code_that_was_mailed_under_the_old_key_passes(before, serve):
    eve = before.person("eve", email=True)
    before.reset(eve)
    assert serve(NEW, OLD).reset(eve, code=before.mailed_code()).status_code == 200


def test_an_unlocking_opens_names_that_others_count_under_the_old_key(before, world):
    before.person("carol", password="pw")
    for _ in range(5):
        before.login("carol", "no")
    world.app.test_cli_runner().invoke(args=["user", "unlock", "carol"])
    assert before.login("carol").status_code == 200
