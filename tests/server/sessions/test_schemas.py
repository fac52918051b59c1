"""The forms of a sign-in request that published clients send, and those that nobody sends."""

import pytest

from e2ereset.server.people.password_hashing import PasswordHasher
from e2ereset.server.sessions.schemas import Credentials, Resume, read_credentials

DIGEST = PasswordHasher.digest("pw")


def by(kind, name, code=None):
    return Credentials(by=kind, name=name, digest=DIGEST, code=code)


@pytest.mark.parametrize(
    ("body", "meant"),
    [
        ({"user": "bob", "password": "pw"}, by("username", "bob")),
        ({"user": "b@x.org", "password": "pw"}, by("email", "b@x.org")),
        ({"username": "bob", "password": "pw"}, by("username", "bob")),
        ({"email": "b@x.org", "password": "pw"}, by("email", "b@x.org")),
        ({"user": {"username": "bob"}, "password": "pw"}, by("username", "bob")),
        ({"user": {"email": "b@x.org"}, "password": "pw"}, by("email", "b@x.org")),
        ({"user": {"id": "b1"}, "password": "pw"}, by("id", "b1")),
        ({"user": "bob", "password": "pw", "code": "123456"}, by("username", "bob", "123456")),
        ({"user": "bob", "password": "pw", "code": ""}, by("username", "bob")),
        ({"user": "bob", "password": "pw", "code": None}, by("username", "bob")),
        ({"user": "bob", "username": "eve", "password": "pw"}, by("username", "bob")),
        (
            {"user": "bob", "password": {"digest": DIGEST, "algorithm": "sha-256"}},
            by("username", "bob"),
        ),
        (
            {"user": "bob", "password": {"digest": DIGEST.upper(), "algorithm": "sha-256"}},
            by("username", "bob"),
        ),
        (
            {"totp": {"code": "123456", "login": {"user": {"username": "b"}, "password": "pw"}}},
            by("username", "b", "123456"),
        ),
        ({"resume": "t0ken"}, Resume(token="t0ken")),
    ],
)
def test_a_known_form_is_understood(body, meant):
    assert read_credentials(body) == meant


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"user": "bob"},
        {"password": "pw"},
        {"user": "bob", "password": None},
        {"user": "bob", "password": 7},
        {"user": "bob", "password": ["pw"]},
        {"user": "bob", "password": {"$ne": ""}},
        {"user": "bob", "password": {"digest": "pw", "algorithm": "sha-256"}},
        {"user": "bob", "password": {"digest": DIGEST, "algorithm": "md5"}},
        {"user": "bob", "password": {"digest": DIGEST, "algorithm": "sha-256", "x": 1}},
        {"user": "bob", "password": {"digest": DIGEST * 2, "algorithm": "sha-256"}},
        {"user": "bob", "password": "pw", "code": 123456},
        {"user": "bob", "password": "pw", "code": {"$ne": ""}},
        {"user": "bob", "password": "pw", "cas": True},
        {"user": {"$ne": ""}, "password": "pw"},
        {"user": {"username": {"$ne": ""}}, "password": "pw"},
        {"user": {"username": "bob", "id": "b1"}, "password": "pw"},
        {"user": {}, "username": "bob", "password": "pw"},
        {"user": None, "username": "bob", "password": "pw"},
        {"user": ["bob"], "password": "pw"},
        {"resume": 7},
        {"resume": "t0ken", "user": "bob", "password": "pw"},
        {"totp": "123456"},
        {"totp": {"code": "1"}},
        {"totp": {"login": {"user": "bob", "password": "pw"}}},
        {"totp": {"code": 1, "login": {"user": "bob", "password": "pw"}}},
        {"totp": {"code": "1", "login": {"resume": "t0ken"}}},
        {"totp": {"code": "1", "login": {"user": "bob", "password": "pw"}, "cas": True}},
        {"totp": {"code": "1", "login": {"user": "bob", "password": "pw"}}, "user": "bob"},
    ],
)
def test_any_other_form_means_nothing(body):
    assert read_credentials(body) is None


@pytest.mark.parametrize("secret", ["pw", DIGEST, "123456", "t0ken"])
def test_no_secret_shows_in_a_repr(secret):
    forms = by("username", "bob", "123456"), Resume(token="t0ken")
    assert secret not in repr(forms)
