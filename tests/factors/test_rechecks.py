"""Rights are as of the act: what changed between the request and the action counts."""

from functools import partial

import pytest
from sqlalchemy import delete, insert, update

from e2ereset import Account, Action, Caller, Proof, Strategy
from e2ereset.errors import NotSignedIn
from e2ereset.permissions.models import Role, RolePermission
from e2ereset.permissions.service import EDIT_OTHER_USER_E2EE
from e2ereset.records import ActionRequest
from e2ereset.server.people.accounts import prove_password
from e2ereset.server.people.models import User, UserRole
from e2ereset.server.people.password_hashing import PasswordHasher
from e2ereset.server.sessions.models import Token
from e2ereset.store.tables import table
from e2ereset.testing import make_account
from tests.kit.host import BOB, SUE
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


def changed(person, **facts):
    return update(table(User)).where(owned(User, person)).values(facts)


LOSSES = {
    "its sign-in expires": lambda world, who: (
        update(table(Token)).where(owned(Token, who)).values(expires_at=world.clock.now)
    ),
    "its sign-in is ended": lambda world, who: delete(table(Token)).where(owned(Token, who)),
    "the time is over": lambda world, who: partial(world.clock.tick, 86400),
    "switched off": lambda world, who: changed(who, active=False),
    "demoted": lambda world, who: delete(table(UserRole)).where(owned(UserRole, who)),
    "revoked": lambda world, who: delete(GRANTS).where(GRANTS.c.permission == EDIT_OTHER_USER_E2EE),
}


@row("9.13")
@pytest.mark.parametrize("loss", LOSSES)
def test_who_may_no_more_between_proof_and_action_resets_nobody(world, admin, bob, meanwhile, loss):
    meanwhile(LOSSES[loss](world, admin))
    answer = world.reset(admin, {"username": "bob"}, code="x")
    may_not = loss in ("demoted", "revoked")
    assert answer.status_code == (400 if may_not else 401)
    assert world.outcomes()[-1][-1] == ("error-not-allowed" if may_not else "error-not-signed-in")
    assert world.has_key(bob)


@row("13.2.8")
@pytest.mark.parametrize(
    "change",
    [
        lambda bob: changed(bob, kind="federated"),
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


def renamed(person, name):
    return changed(person, username=name, username_key=name)


@pytest.mark.parametrize("body", [{"username": "bob"}, {"user": "BOB"}])
def test_a_name_that_changes_hands_meanwhile_resets_neither(world, admin, bob, meanwhile, body):
    eve = world.person("eve")
    meanwhile(renamed(bob, "bobby"), renamed(eve, "bob"))
    assert error(world.reset(admin, body, code="x")) == "error-not-allowed"
    assert world.has_key(bob)
    assert world.has_key(eve)


def test_a_target_that_appears_meanwhile_is_not_what_the_proof_was_for(
    world, admin, bob, meanwhile
):
    meanwhile(renamed(bob, "new"))
    assert error(world.reset(admin, {"username": "new"}, code="x")) == "error-not-allowed"
    assert world.has_key(bob)


class OnlyFallback(Meanwhile):
    """Serves those who have nothing better."""

    name = "worse"
    fallback = True


def test_a_fallback_is_over_once_there_is_a_better_method(with_settings, world, monkeypatch):
    bob, other = world.person("bob"), with_settings(E2ERESET_METHODS=["totp", OnlyFallback])
    charge = other.runtime.budgets.charge

    def enrolled_meanwhile(*args, **options):
        world.runtime.factors.enrol_totp(world.account(bob))
        return charge(*args, **options)

    monkeypatch.setattr(other.runtime.budgets, "charge", enrolled_meanwhile)
    assert error(other.reset(bob, code="x")) == "totp-invalid"
    assert world.has_key(bob)


# Accounts of a host, whose sign-ins are its own


@pytest.fixture
def host(make_host):
    return make_host(E2ERESET_METHODS=[Meanwhile])


def test_a_host_user_who_is_deleted_meanwhile_does_nothing(host, meanwhile):
    meanwhile(partial(host.accounts.accounts.pop, SUE.id))
    assert host.reset(SUE, "x", username="bob").status_code == 401


class FoundOnce(dict):
    """Accounts each of which is deleted once it was looked up."""

    def get(self, account_id):
        return self.pop(account_id, None)


@pytest.mark.parametrize(
    ("bypasses", "options"),
    [(False, {"proven": False}), (True, {}), (False, {"fallback": False})],
    ids=["not proven", "bypass", "no method"],
)
def test_a_host_user_who_is_deleted_meanwhile_does_nothing_without_a_proof(
    host, monkeypatch, bypasses, options
):
    monkeypatch.setattr(Meanwhile, "usable", lambda *_: False)
    host.accounts.accounts = FoundOnce(host.accounts.accounts)
    caller, action = Caller(account=BOB, bypasses_two_factor=bypasses), Action(name="x")
    asked = ActionRequest(caller=caller, proof=Proof(), action=action, now=1, **options)
    with pytest.raises(NotSignedIn):
        host.runtime.stepup.run(asked, lambda _passed: "done")


@row("12.8.3.1")
def test_a_host_user_who_is_demoted_meanwhile_does_nothing(host, meanwhile):
    meanwhile(partial(host.accounts.accounts.update, {SUE.id: make_account("sue")}))
    assert error(host.reset(SUE, "x", username="bob")) == "error-not-allowed"


def test_staff_whom_the_accounts_do_not_know_may_act(make_host):
    staff = Account(id="staff-7", username="ann", roles=("admin",))
    host = make_host(E2ERESET_METHODS=[Meanwhile], identify=lambda: Caller(account=staff))
    assert host.reset(staff, "x", username="bob").status_code == 200


# Between the password and the second factor of a sign-in


@pytest.mark.parametrize(
    ("cost", "change", "refusal"),
    [
        (4, {"active": False}, "error-user-is-not-activated"),
        (4, {"password_hash": "another"}, "Unauthorized"),
        (5, {"password_hash": "another"}, "Unauthorized"),
    ],
    ids=["switched off", "another password", "another password, the hash renewed"],
)
def test_who_could_not_sign_in_with_that_password_by_now_gets_no_token(
    world, meanwhile, cost, change, refusal
):
    ann = world.person("ann", password_hash=PasswordHasher(cost).hash("good enough"))
    meanwhile(changed(ann, **change))
    answer = world.login("ann", "good enough", code="x")
    assert (answer.status_code, error(answer)) == (401, refusal)
    assert world.tokens(ann) == 1


def test_a_hash_that_was_renewed_by_another_sign_in_is_no_other_password(world, monkeypatch):
    ann = world.person("ann", password_hash=PasswordHasher(5).hash("good enough"))
    renewed, hash_digest = HASHER.hash("good enough"), PasswordHasher.hash_digest
    with world.runtime.transactions.begin() as session:

        def renewed_meanwhile(hasher, digest):
            session.execute(changed(ann, password_hash=renewed))
            return hash_digest(hasher, digest)

        monkeypatch.setattr(PasswordHasher, "hash_digest", renewed_meanwhile)
        assert prove_password(session, HASHER, ann.id, sha256("good enough")) == renewed
