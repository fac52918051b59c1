"""The server's users as the library sees them, in the bare database."""

import pytest
from sqlalchemy import select, update

from e2ereset import ports
from e2ereset.server.accounts import ServerAccounts
from e2ereset.server.people.models import User
from e2ereset.server.people.password_hashing import PasswordHasher
from tests.kit.server import HASHER, make_user

BOB = "id-of-bob"


def test_the_accounts_are_every_port(accounts):
    for port in (ports.FindsByEmail, ports.HoldsKeys, ports.HoldsSessions, ports.ListensForKeys):
        assert isinstance(accounts, port)


def test_an_account_has_all_roles_and_the_verified_addresses_in_order(session, accounts):
    make_user(session, roles=["user", "admin"], emails=["z@x.org", "no@x.org!", "a@x.org"])
    found = accounts.get(session, BOB)
    assert found.emails == ("z@x.org", "a@x.org")
    assert set(found.roles) == {"user", "admin"}


def test_an_account_says_what_it_is(session, accounts):
    make_user(session, kind="federated", active=False, password_hash="x", roles=[])
    found = accounts.get(session, BOB)
    assert (found.federated, found.active, found.has_password) == (True, False, True)
    assert (found.roles, found.emails) == ((), ())


@pytest.mark.parametrize("name", ["Straße", "STRAẞE", "straße"])
def test_a_username_is_found_whatever_its_case(session, accounts, name):
    make_user(session, "Straße")
    assert accounts.find(session, name).username == "Straße"


def test_an_address_is_found_whatever_its_case(session, accounts):
    make_user(session, emails=["Bob@X.org"])
    assert accounts.find_by_email(session, "bOB@x.ORG").id == BOB


@pytest.mark.parametrize("name", ["", "nobody", "bob\0", "\ud800", "b" * 100_000, "%", "bob\n"])
def test_a_name_that_nobody_has_finds_nobody(session, accounts, name):
    make_user(session)
    assert accounts.get(session, name) is None
    assert accounts.find(session, name) is None
    assert accounts.find_by_email(session, name) is None


def test_no_password_is_right_for_an_account_without_one(session, accounts):
    make_user(session)
    assert not accounts.get(session, BOB).has_password
    assert not accounts.check_password(session, BOB, HASHER.digest(""))


def test_a_hash_of_an_old_cost_is_replaced_on_success_only(session, accounts):
    old, stored = PasswordHasher(5).hash("pw"), select(User.password_hash)
    make_user(session, password_hash=old)
    assert not accounts.check_password(session, BOB, HASHER.digest("no"))
    assert session.scalar(stored) == old
    for _ in range(2):
        assert accounts.check_password(session, BOB, HASHER.digest("pw"))
        assert session.scalar(stored).startswith("$2b$04$")


def test_a_hash_of_an_old_cost_does_not_replace_a_password_that_was_set_meanwhile(session):
    class Overtaken(PasswordHasher):
        def hash_digest(self, digest):
            session.execute(update(User).values(password_hash=HASHER.hash("new")))
            return super().hash_digest(digest)

    make_user(session, password_hash=PasswordHasher(5).hash("pw"))
    assert not ServerAccounts(Overtaken(4)).check_password(session, BOB, HASHER.digest("pw"))
    assert HASHER.verify(HASHER.digest("new"), session.scalar(select(User.password_hash)))
