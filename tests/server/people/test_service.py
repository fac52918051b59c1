"""Administration of users, in the bare database."""

import re
import secrets

import pytest
from sqlalchemy import select

from e2ereset.factors.models import BackupCode, EmailFactor, Totp
from e2ereset.server.people.models import Email, User
from e2ereset.server.people.service import (
    ID_ALPHABET,
    BadPerson,
    NewPerson,
    add_person,
    get_person,
    list_people,
)
from e2ereset.vault.models import KeyPair
from tests.kit.server import NOW, make_user


def add(session, username="bob", **facts):
    return add_person(session, NewPerson(username=username, **facts), NOW, secrets)


def test_a_new_user_has_an_id_as_the_reference_makes_them(session):
    assert re.fullmatch(f"[{ID_ALPHABET}]{{17}}", add(session).id)


def test_a_new_user_is_active_with_the_role_user(session):
    add(session, "Bob", emails=["Bob@x.org"], verified=True)
    person = get_person(session, "bob")
    assert (person.user.username, person.user.created_at) == ("Bob", NOW)
    assert (person.user.active, person.roles) == (True, ["user"])
    assert person.emails == [{"address": "Bob@x.org", "verified": True}]


def test_an_address_is_not_verified_unless_said(session):
    add(session, emails=["b@x.org"])
    assert get_person(session, "bob").emails[0]["verified"] is False


@pytest.mark.parametrize("name", ["", "b b", "b@x", "b\n", "é", "b" * 129, "bob\u202e"])
def test_a_name_that_clients_could_not_send_is_refused(session, name):
    with pytest.raises(BadPerson, match="username"):
        add(session, name)


@pytest.mark.parametrize(
    "address", ["", "b", "b@", "@x.org", "a@b@c", "b@x.org\nBcc: e@x.org", "b <b@x.org>", "b@x\0"]
)
def test_what_is_no_address_is_refused(session, address):
    with pytest.raises(BadPerson, match="no e-mail address"):
        add(session, emails=[address])


@pytest.mark.parametrize(("name", "mail"), [("BOB", "e@x.org"), ("eve", "B@X.org")])
def test_a_name_and_an_address_are_given_once_whatever_their_case(session, name, mail):
    add(session, emails=["b@x.org"])
    with pytest.raises(BadPerson, match="taken"):
        add(session, name, emails=[mail])


def test_who_is_refused_leaves_nothing_behind(session):
    add(session, emails=["b@x.org"])
    session.commit()
    with pytest.raises(BadPerson):
        add(session, "eve", emails=["e@x.org", "b@x.org"])
    session.rollback()
    assert session.scalars(select(User.username)).all() == ["bob"]
    assert session.scalars(select(Email.address)).all() == ["b@x.org"]


@pytest.mark.parametrize("enrolled", [True, False])
def test_a_person_shows_factors_and_whether_a_key_is_set(session, enrolled):
    bob = add(session).id
    totp = {"secret": "s", "enabled_at": NOW} if enrolled else {"pending_secret": "s"}
    session.add(Totp(account_id=bob, last_step=0, **totp))
    session.add(EmailFactor(account_id=bob, enabled_at=NOW))
    session.add(KeyPair(account_id=bob, public_key="p", private_key="k", set_at=NOW))
    session.add_all(BackupCode(account_id=bob, digest=d) for d in "ab")
    session.flush()
    it = get_person(session, "bob")
    assert (it.totp, it.email_2fa, it.has_key, it.backup_codes_left) == (enrolled, True, True, 2)


def test_people_are_listed_by_name(session):
    for name in ("bob", "Alice", "carol"):
        make_user(session, name)
    assert [person.user.username for person in list_people(session)] == ["Alice", "bob", "carol"]
