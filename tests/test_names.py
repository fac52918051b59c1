"""Names are compared by one rule, which never takes two names for one."""

import pytest
from sqlalchemy import select

from e2ereset import name_key
from e2ereset.server.people.models import User
from e2ereset.server.people.service import NewPerson, add_person
from e2ereset.testing import Mailbox, make_account
from tests.kit.client import LOGIN
from tests.kit.world import sha256

UMLAUT, KELVIN, DECOMPOSED = "\u00dcnal", "\u212a", "U\u0308nal"
SAME = [
    ("STRASSE", "strasse"),
    ("STRA\u1e9eE", "stra\u00dfe"),
    (UMLAUT, UMLAUT.lower()),
    (DECOMPOSED, UMLAUT),
    (KELVIN + "im", "kim"),
    ("\u212bsa", "\u00e5sa"),  # the sign for \u00e5ngstr\u00f6m
    ("H\u0331", "\u1e96"),  # only the small letter has a composed form
    ("J\u030c", "\u01f0"),
]
DIFFERENT = [
    ("stra\u00dfe", "strasse"),
    ("\ufb01n", "fin"),  # a ligature
    ("\u017fam", "sam"),  # a long s
    ("\u0131van", "ivan"),  # a dotless i
    ("\u03b1\u03c2", "\u03b1\u03c3"),  # the two small sigmas
    ("\uff42ob", "bob"),  # a full-width b
    ("b\u043eb", "bob"),  # a Cyrillic o
    ("bob ", "bob"),
    ("i\u0307", "i"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_two_spellings_are_one_name(one, other):
    assert make_account(one).is_named(other)
    assert make_account(other).is_named(one)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_two_names_stay_two(one, other):
    assert not make_account(one).is_named(other)


@pytest.mark.parametrize("pair", [*SAME, *DIFFERENT])
def test_a_folded_name_is_folded_no_further(pair):
    keys = [name_key(name) for name in pair]
    assert [name_key(key) for key in keys] == keys


def test_a_name_like_the_callers_is_not_the_callers(world):
    strasse, other = (world.person(name, totp=True) for name in ("strasse", "stra\u00dfe"))
    refused = world.reset(strasse, {"username": other.username}, code=world.code(strasse))
    assert refused.json["errorType"] == "error-not-allowed"
    assert world.has_key(strasse)
    assert world.has_key(other)


@pytest.mark.parametrize("spelling", [UMLAUT, UMLAUT.lower(), DECOMPOSED])
def test_another_spelling_of_the_callers_name_is_an_own_reset(world, spelling):
    person = world.person(UMLAUT, totp=True)
    assert world.reset(person, {"username": spelling}, code=world.code(person)).status_code == 200
    assert not world.has_key(person)


@pytest.mark.parametrize("spelling", [UMLAUT.upper(), DECOMPOSED])
def test_another_is_found_by_any_spelling(world, spelling):
    boss, person = world.person("boss", roles=["admin"], totp=True), world.person(UMLAUT)
    assert world.reset(boss, {"username": spelling}, code=world.code(boss)).status_code == 200
    assert not world.has_key(person)


@pytest.mark.parametrize("by", ["username", "email", "user"])
def test_signing_in_goes_by_the_same_rule(world, by):
    world.person(UMLAUT, password="pw", emails=[f"{UMLAUT}@x.org"])
    name = DECOMPOSED + ("@X.org" if by == "email" else "")
    digest = {"digest": sha256(sha256("pw")), "algorithm": "sha-256"}
    assert world.client.post(LOGIN, json={by: name, "password": "pw"}).status_code == 200
    assert world.client.post(LOGIN, json={by: name, "password": digest}).status_code == 401


@pytest.mark.parametrize("name", [DECOMPOSED, f"{DECOMPOSED}@X.org"])
def test_a_mailed_code_can_be_asked_for_by_any_spelling(world, name):
    address, mailbox = f"{UMLAUT}@x.org", Mailbox(world.app)
    world.reset(world.person(UMLAUT, email=True, emails=[address]))
    first = mailbox.code_for(address)
    world.clock.now += 60
    world.ask_again(name)
    assert mailbox.code_for(address) != first


def test_names_are_stored_by_the_rule_that_finds_them(world):
    new = NewPerson(username="STRASSE", emails=[f"{DECOMPOSED}@X.org"])
    user = add_person(world.session, new, 1, world.runtime.entropy)
    stored = world.session.scalars(select(User.username_key)).all()
    assert (stored, user.emails[0].address_key) == (["strasse"], f"{UMLAUT.lower()}@x.org")
