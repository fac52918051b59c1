"""The forms of a sign-in request that published clients send, and those that nobody sends."""

import pytest

from e2ereset.server.people.password_hashing import PasswordHasher
from e2ereset.server.sessions.schemas import Credentials, Resume, read_credentials

DIGEST = PasswordHasher.digest("pw")
HASHED = {"digest": DIGEST, "algorithm": "sha-256"}
BOB = {"user": "bob", "password": "pw"}


def by(kind, name, code=None):
    return Credentials(by=kind, name=name, digest=DIGEST, code=code)


@pytest.mark.parametrize(
    ("body", "meant"),
    [
        *(({"user": user}, by("username", "bob")) for user in ("bob", {"username": "bob"})),
        *(({"user": user}, by("email", "b@x.org")) for user in ("b@x.org", {"email": "b@x.org"})),
        ({"username": "bob"}, by("username", "bob")),
        ({"email": "b@x.org"}, by("email", "b@x.org")),
        ({"user": {"id": "b1"}}, by("id", "b1")),
        ({"user": "bob", "code": "123456"}, by("username", "bob", "123456")),
        *(({"user": "bob", "code": code}, by("username", "bob")) for code in ("", None)),
        ({"user": "bob", "username": "eve"}, by("username", "bob")),
        ({"user": "bob", "password": HASHED}, by("username", "bob")),
        ({"user": "bob", "password": HASHED | {"digest": DIGEST.upper()}}, by("username", "bob")),
    ],
)
def test_a_known_form_is_understood(body, meant):
    assert read_credentials({"password": "pw"} | body) == meant


def test_a_form_around_another_is_understood():
    body = {"totp": {"code": "123456", "login": BOB}}
    assert read_credentials(body) == by("username", "bob", "123456")


def test_a_resume_is_understood():
    assert read_credentials({"resume": "t0ken"}) == Resume(token="t0ken")


@pytest.mark.parametrize(
    "body",
    [
        *({}, {"user": "bob"}, {"password": "pw"}, {"resume": 7}, {"resume": "t0ken"} | BOB),
        *(BOB | {"password": password} for password in (None, 7, ["pw"], {"$ne": ""})),
        *(BOB | {"password": HASHED | {"digest": digest}} for digest in ("pw", DIGEST * 2)),
        BOB | {"password": {"hashed": DIGEST}},
        *(BOB | {"password": HASHED | more} for more in ({"algorithm": "md5"}, {"x": 1})),
        *(BOB | more for more in ({"code": 123456}, {"code": {"$ne": ""}}, {"cas": True})),
        *(BOB | {"user": user} for user in (["bob"], {"$ne": ""}, {"username": {"$ne": ""}})),
        *(BOB | {"username": "bob", "user": user} for user in ({}, None)),
        BOB | {"user": {"username": "bob", "id": "b1"}},
        *({"totp": totp} for totp in ("123456", {"code": "1"}, {"login": BOB})),
        {"totp": {"code": 1, "login": BOB}},
        {"totp": {"code": "1", "login": {"resume": "t0ken"}}},
        {"totp": {"code": "1", "login": BOB, "cas": True}},
        {"totp": {"code": "1", "login": BOB}, "user": "bob"},
    ],
)
def test_any_other_form_means_nothing(body):
    assert read_credentials(body) is None


@pytest.mark.parametrize("secret", ["pw", DIGEST, "123456", "t0ken"])
def test_no_secret_shows_in_a_repr(secret):
    forms = by("username", "bob", "123456"), Resume(token="t0ken")
    assert secret not in repr(forms)
