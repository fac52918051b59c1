"""Rights are as of the act: what changed between the request and the action counts."""

import json
from dataclasses import replace
from functools import partial
from io import BytesIO

import pytest
from sqlalchemy import delete, insert, update

from e2ereset import Account, Action, Caller, Proof, Strategy, get_e2ereset
from e2ereset.errors import FactorInvalid, NotAllowed, NotSignedIn
from e2ereset.factors.models import Totp
from e2ereset.permissions.models import Role, RolePermission
from e2ereset.permissions.service import EDIT_OTHER_USER_E2EE
from e2ereset.records import ActionRequest, TargetName
from e2ereset.server.people.accounts import prove_password
from e2ereset.server.people.models import User, UserRole
from e2ereset.server.people.password_hashing import PasswordHasher
from e2ereset.server.sessions.models import Token
from e2ereset.store.tables import table
from e2ereset.testing import MemoryAccounts, make_account
from e2ereset.vault.models import KeyPair
from tests.kit.client import RESET, SET_KEYS
from tests.kit.rows import row
from tests.kit.server import HASHER
from tests.kit.world import error, sha256

GRANTS = table(RolePermission)


class Meanwhile(Strategy):
    """Any code is right, and something changes while it is looked at."""

    name = "meanwhile"
    changes = ()

    def usable(self, attempt):
        return True

    def verify(self, attempt, code):
        for change in self.changes:
            change() if callable(change) else attempt.session.execute(change)
        return True


@pytest.fixture
def config(config):
    """The server, with that strategy as its second factor."""
    return config | {"E2ERESET_METHODS": [Meanwhile, "totp", "password"]}


@pytest.fixture
def meanwhile(monkeypatch):
    """Has these statements run between the proof and the action."""
    return lambda *changes: monkeypatch.setattr(Meanwhile, "changes", changes)


@pytest.fixture
def admin(world):
    """Somebody who may reset others."""
    return world.person("sue", roles=["admin"])


def owned(model, person):
    return table(model).c["id" if model is User else "user_id"] == person.id


@pytest.mark.parametrize(
    "change",
    [
        lambda world, mine: update(table(Token)).where(mine).values(expires_at=world.clock.now),
        lambda world, mine: delete(table(Token)).where(mine),
        lambda world, mine: partial(world.clock.tick, 86400),
    ],
    ids=["expires", "is ended", "time is over"],
)
def test_a_sign_in_that_ends_meanwhile_resets_nothing(world, bob, meanwhile, change):
    meanwhile(change(world, owned(Token, bob)))
    assert world.reset(bob, code="x").status_code == 401
    assert world.has_key(bob)


def test_who_is_switched_off_meanwhile_resets_nothing(world, admin, bob, meanwhile):
    meanwhile(update(table(User)).where(owned(User, admin)).values(active=False))
    assert world.reset(admin, {"username": "bob"}, code="x").status_code == 401
    assert world.has_key(bob)
    assert world.outcomes()[-1][-1] == "error-not-signed-in"


@row("9.13")
@pytest.mark.parametrize(
    "change",
    [
        lambda admin: delete(table(UserRole)).where(owned(UserRole, admin)),
        lambda _: delete(GRANTS).where(GRANTS.c.permission == EDIT_OTHER_USER_E2EE),
    ],
    ids=["demoted", "revoked"],
)
def test_who_may_no_more_meanwhile_resets_nobody_else(world, admin, bob, meanwhile, change):
    meanwhile(change(admin))
    assert error(world.reset(admin, {"username": "bob"}, code="x")) == "error-not-allowed"
    assert world.has_key(bob)


@row("13.2.8")
@pytest.mark.parametrize(
    "change",
    [
        lambda bob: update(table(User)).where(owned(User, bob)).values(kind="federated"),
        lambda bob: insert(table(UserRole)).values(user_id=bob.id, role="chief"),
    ],
    ids=["federated", "promoted"],
)
def test_a_target_that_is_out_of_bounds_meanwhile_keeps_its_key(
    world, admin, bob, meanwhile, change
):
    meanwhile(insert(table(Role)).values(name="chief", rank=1000), change(bob))
    assert error(world.reset(admin, {"username": "bob"}, code="x")) == "error-not-allowed"
    assert world.has_key(bob)


@pytest.mark.parametrize("body", [{"username": "bob"}, {"user": "BOB"}])
def test_a_name_that_changes_hands_meanwhile_resets_neither(world, admin, bob, meanwhile, body):
    eve = world.person("eve")
    meanwhile(renamed(bob, "bobby"), renamed(eve, "bob"))
    assert error(world.reset(admin, body, code="x")) == "error-not-allowed"
    assert world.has_key(bob)
    assert world.has_key(eve)


def renamed(person, name):
    return update(table(User)).where(owned(User, person)).values(username=name, username_key=name)


def test_a_target_that_appears_meanwhile_is_not_what_the_proof_was_for(
    world, admin, bob, meanwhile
):
    meanwhile(renamed(bob, "new"))
    assert error(world.reset(admin, {"username": "new"}, code="x")) == "error-not-allowed"
    assert world.has_key(bob)


def test_who_is_switched_off_between_password_and_proof_gets_no_token(world, meanwhile):
    ann = world.person("ann", password="good enough")
    before = world.tokens(ann)
    meanwhile(update(table(User)).where(owned(User, ann)).values(active=False))
    answer = world.login("ann", "good enough", code="x")
    assert answer.status_code == 401
    assert answer.json["error"] == "error-user-is-not-activated"
    assert world.tokens(ann) == before


class OnlyFallback(Meanwhile):
    """Serves those who have nothing better."""

    name = "worse"
    fallback = True


def test_a_fallback_is_over_once_there_is_a_better_method(make_server, config, world, monkeypatch):
    app = make_server(config | {"E2ERESET_METHODS": ["totp", OnlyFallback]})
    bob, runtime = world.person("bob"), get_e2ereset(app)
    charge = runtime.budgets.charge

    def enrolled_meanwhile(*args, **options):
        world.session.execute(
            insert(table(Totp)).values(account_id=bob.id, secret="s", enabled_at=1, last_step=0)
        )
        world.session.commit()
        return charge(*args, **options)

    monkeypatch.setattr(runtime.budgets, "charge", enrolled_meanwhile)
    caller = Caller(account=world.account(bob))
    with app.app_context(), pytest.raises(FactorInvalid):
        runtime.resets.reset_key(caller, None, Proof(code="x"), world.clock.now)
    assert world.has_key(bob)


@pytest.fixture
def host_resets(world, monkeypatch):
    """Resets over a host's accounts, and these."""
    accounts = MemoryAccounts(make_account("bob"), make_account("sue", roles=("admin",)))
    runtime = world.runtime
    monkeypatch.setattr(runtime.stepup.rechecks, "_accounts", accounts)
    monkeypatch.setattr(runtime.stepup.rechecks, "_sign_ins", None)
    targets = runtime.resets._targets
    targets = replace(targets, parts=replace(targets.parts, accounts=accounts))
    monkeypatch.setattr(runtime.resets, "_targets", targets)
    return runtime.resets, accounts


@pytest.fixture
def dropped(monkeypatch):
    """Has a host's account changed, or dropped, between the proof and the action."""

    def change(accounts, account_id, account=None):
        def verify(self, attempt, code):
            accounts.accounts.pop(account_id, None)
            if account:
                accounts.accounts[account_id] = account
            return True

        monkeypatch.setattr(Meanwhile, "verify", verify)

    return change


def reset(resets, account, named=None):
    return resets.reset_key(Caller(account=account), named, Proof(code="x"), 1_800_000_000)


def test_a_host_user_who_is_deleted_meanwhile_does_nothing(host_resets, dropped):
    resets, accounts = host_resets
    sue = accounts.accounts["id-of-sue"]
    dropped(accounts, sue.id)
    with pytest.raises(NotSignedIn):
        reset(resets, sue, TargetName(username="bob"))


@pytest.mark.parametrize(
    ("bypasses", "options"),
    [(False, {"proven": False}), (True, {}), (False, {"fallback": False})],
    ids=["not proven", "bypass", "no method"],
)
def test_a_host_user_who_is_deleted_meanwhile_does_nothing_without_a_proof(
    world, host_resets, monkeypatch, bypasses, options
):
    stepup, accounts = world.runtime.stepup, host_resets[1]
    bob, knows = accounts.accounts["id-of-bob"], stepup.rechecks.knows

    def knows_then_deletes(session, caller):
        known = knows(session, caller)
        accounts.accounts.clear()
        return known

    monkeypatch.setattr(stepup.rechecks, "knows", knows_then_deletes)
    monkeypatch.setattr(Meanwhile, "usable", lambda *_: False)
    asked = ActionRequest(
        caller=Caller(account=bob, bypasses_two_factor=bypasses),
        proof=Proof(),
        action=Action(name="x"),
        now=world.clock.now,
        **options,
    )
    with pytest.raises(NotSignedIn):
        stepup.run(asked, lambda _passed: "done")


@row("12.8.3.1")
def test_a_host_user_who_is_demoted_meanwhile_does_nothing(host_resets, dropped):
    resets, accounts = host_resets
    sue = accounts.accounts["id-of-sue"]
    dropped(accounts, sue.id, make_account("sue"))
    with pytest.raises(NotAllowed):
        reset(resets, sue, TargetName(username="bob"))


def test_staff_whom_the_accounts_do_not_know_may_act(host_resets):
    resets, _ = host_resets
    staff = Account(id="staff-7", username="ann", roles=("admin",))
    assert reset(resets, staff, TargetName(username="bob")).target.username == "bob"


class Slowly(BytesIO):
    """A body of which something happens between the first byte and the rest."""

    def read(self, size=-1):
        if self.happens:
            self.happens = self.happens()
            return super().read(1)
        return super().read(size)


def slowly(world, person, url, body, happens, **headers):
    stream = Slowly(json.dumps(body).encode())
    stream.happens = happens
    options = {"input_stream": stream, "content_type": "application/json"}
    return world.client.post(url, headers=person.headers | headers, **options)


@pytest.fixture
def commit(world):
    """Commits a change while a body comes."""

    def change(statement):
        world.session.execute(statement)
        world.session.commit()

    return change


def test_who_is_switched_off_while_the_body_comes_does_nothing(world, admin, bob, commit):
    off = update(table(User)).where(owned(User, admin)).values(active=False)
    body = {"username": "bob"}
    answer = slowly(world, admin, RESET, body, lambda: commit(off), **{"x-2fa-code": "x"})
    assert answer.status_code == 401
    assert world.has_key(bob)


def test_who_is_demoted_while_the_body_comes_resets_nobody_else(world, admin, bob, commit):
    demote = delete(table(UserRole)).where(owned(UserRole, admin))
    body = {"username": "bob"}
    answer = slowly(world, admin, RESET, body, lambda: commit(demote), **{"x-2fa-code": "x"})
    assert answer.json["errorType"] == "error-not-allowed"
    assert world.has_key(bob)


def test_a_sign_in_that_expires_while_the_body_comes_is_none(world, bob, clock):
    happens = partial(setattr, clock, "now", clock.now + 86400)
    assert slowly(world, bob, RESET, {}, happens, **{"x-2fa-code": "x"}).status_code == 401
    assert world.has_key(bob)


def test_a_key_whose_sign_in_ends_while_it_comes_is_not_stored(world, bob, commit):
    end = delete(table(Token)).where(owned(Token, bob))
    body = {"public_key": "PUB", "private_key": "NEW", "force": True}
    assert slowly(world, bob, SET_KEYS, body, lambda: commit(end)).status_code == 401
    assert [row.private_key for row in world.rows(KeyPair)] == ["PRIV"]


@pytest.mark.parametrize("cost", [4, 5], ids=["kept", "renewed"])
def test_a_password_that_was_changed_before_the_proof_gives_no_token(world, meanwhile, cost):
    ann = world.person("ann", password_hash=PasswordHasher(cost).hash("good enough"))
    before, other = world.tokens(ann), HASHER.hash("another one")
    meanwhile(update(table(User)).where(owned(User, ann)).values(password_hash=other))
    answer = world.login("ann", "good enough", code="x")
    assert (answer.status_code, answer.json["error"]) == (401, "Unauthorized")
    assert world.tokens(ann) == before


def test_a_hash_that_was_renewed_by_another_sign_in_is_no_other_password(world, meanwhile):
    world.person("ann", password_hash=PasswordHasher(5).hash("good enough"))
    digest, renewed = sha256("good enough"), HASHER.hash("good enough")
    with world.runtime.transactions.begin() as session:
        change = update(table(User)).values(password_hash=renewed)
        hasher = Renews(4, lambda: session.execute(change))
        assert prove_password(session, hasher, "id-of-ann", digest) == renewed


class Renews(PasswordHasher):
    """Something happens while it makes a hash."""

    def __init__(self, cost, happens):
        super().__init__(cost)
        self.happens = happens

    def hash_digest(self, digest):
        self.happens()
        return super().hash_digest(digest)
