"""`SQLAlchemyAccounts` finds the users of a model, and knows their passwords."""

import uuid
from enum import Enum
from hashlib import sha256
from threading import BoundedSemaphore
from types import SimpleNamespace

import argon2
import bcrypt
import pytest
import sqlalchemy as sa
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import Session, declarative_base, relationship
from werkzeug.security import generate_password_hash

from e2ereset import SQLAlchemyAccounts, identify_by
from e2ereset.errors import Busy, HostError, SettingsError
from e2ereset.hashes import opens
from e2ereset.records import Reader
from tests.kit.databases import ON_POSTGRESQL

PLAIN = " correct horse "
DIGEST = sha256(PLAIN.encode()).hexdigest()
COST = bcrypt.gensalt(4)
LIGHT = argon2.PasswordHasher(1, 8, 1)
HASHES = {
    "scrypt": lambda secret: generate_password_hash(secret, "scrypt:256:8:1"),
    "pbkdf2": lambda secret: generate_password_hash(secret, "pbkdf2:sha256:10"),
    "bcrypt": lambda secret: bcrypt.hashpw(secret.encode(), COST).decode(),
    "argon2": LIGHT.hash,
}
Base = declarative_base()
SHAPES = {"int": sa.Integer, "text": lambda: sa.String(40), "uuid": sa.Uuid}
VALUES = {"int": 7, "text": "007", "uuid": uuid.UUID(int=7)}


class Role(Base):
    __tablename__ = "roles"
    id = sa.Column(sa.Integer, primary_key=True)
    name = sa.Column(sa.String(40))
    owner = sa.Column(sa.ForeignKey("users.id"))


class User(Base):
    __tablename__ = "users"
    id = sa.Column(sa.Integer, primary_key=True)
    login = sa.Column("login_name", sa.String(80))
    key = sa.Column(sa.String(160))
    email = sa.Column(sa.String(320))
    confirmed_at = sa.Column(sa.Integer)
    hash = sa.Column(sa.String(255))
    fs_uniquifier = sa.Column(sa.String(64), default="first")
    enabled = sa.Column(sa.Boolean, default=True)
    roles = relationship(Role, lazy="joined")


MODELS = {
    kind: type(
        kind,
        (Base,),
        {
            "__tablename__": kind,
            "id": sa.Column(shape(), primary_key=True),
            "username": sa.Column(sa.String(80)),
        },
    )
    for kind, shape in SHAPES.items()
}


@pytest.fixture
def session(database_uri):
    engine = sa.create_engine(database_uri if ON_POSTGRESQL else "sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        yield session
    Base.metadata.drop_all(engine)
    engine.dispose()


def accounts(**parts):
    named = {"username": User.login, "email": "email", "verified": "confirmed_at"}
    return SQLAlchemyAccounts(User, **named | {"password": "hash", "roles": "roles"} | parts)


def add(session, *users):
    session.add_all(users)
    session.commit()


@pytest.mark.parametrize("kind", SHAPES)
def test_an_id_is_found_by_its_one_text_and_other_texts_are_nobody(session, kind):
    model, value = MODELS[kind], VALUES[kind]
    add(session, model(id=value, username="bob"))
    found = SQLAlchemyAccounts(model)
    assert found.get(session, str(value)).id == str(value)
    others = [
        "",
        "7 ",
        "+7",
        "\u0667",
        "7\0",
        "\ud800",
        "9" * 30,
        "9" * 5000,
        "bob",
        str(value) + "x",
    ]
    others += ["07", f"{{{uuid.UUID(int=7)}}}", uuid.UUID(int=7).hex]
    assert [text for text in others if found.get(session, text)] == []


def test_a_user_is_an_account(session):
    add(
        session,
        User(id=1, login="Bob", email="b@x.org", confirmed_at=9, roles=[Role(name="admin")]),
    )
    account = accounts(active=User.__table__.c.enabled).get(session, "1")
    told = (account.username, account.emails, account.roles, account.active, account.has_password)
    assert told == ("Bob", ("b@x.org",), ("admin",), True, False)


@pytest.mark.parametrize(
    ("given", "roles"),
    [
        (None, ()),
        ("admin", ("admin",)),
        (Enum("R", {"ADMIN": "admin"}).ADMIN, ("admin",)),
        (Enum("R", {"ADMIN": 1}).ADMIN, ("ADMIN",)),
        ([SimpleNamespace(name="a"), "b"], ("a", "b")),
    ],
)
def test_roles_are_texts_or_have_names(given, roles):
    found = accounts(roles=lambda user: given, verified=True).account(User(id=1, login="bob"))
    assert (found.roles, found.emails) == (roles, ())


@pytest.mark.parametrize("verified", [False, "confirmed_at", lambda user: None])
def test_an_address_counts_only_where_it_is_verified(session, verified):
    add(session, User(id=1, login="bob", email="B@x.org"), User(id=2, login="eve", email="b@x.org"))
    found = accounts(verified=verified)
    assert (found.get(session, "1").emails, found.find_by_email(session, "b@x.org")) == ((), None)
    only_eve = accounts(verified=lambda user: user.id == 2)
    assert only_eve.find_by_email(session, "b@X.org").id == "2"
    assert accounts(verified=True).find_by_email(session, "b@x.org") is None


@pytest.mark.parametrize("spelling", ["Ünal", "ünal", "ÜNAL", "U\u0308nal"])
@pytest.mark.parametrize("name_key", [None, "key"])
def test_a_name_is_found_however_it_is_spelled(session, name_key, spelling):
    add(
        session,
        User(id=1, login="\u00dcnal", key="\u00fcnal"),
        User(id=2, login="Unal", key="unal"),
    )
    assert accounts(name_key=name_key).find(session, spelling).id == "1"


def test_a_key_that_is_not_that_of_the_name_finds_nobody(session):
    add(session, User(id=1, login="eve", key="bob"))
    assert accounts(name_key="key").find(session, "bob") is None


@pytest.mark.parametrize("pair", [("Bob", "bob"), ("\u00dcnal", "\u00fcnal")])
def test_of_two_users_of_one_name_none_is_found(session, pair, caplog):
    add(session, User(id=1, login=pair[0]), User(id=2, login=pair[1]))
    assert accounts().find(session, pair[1]) is None
    assert "1, 2 have one name" in caplog.text
    assert pair[1] not in caplog.text


@pytest.mark.parametrize("name", ["b%b", "b_b", "", "b\0b", "\ud800", "bob "])
def test_a_name_of_nobody_finds_nobody(session, name):
    add(session, User(id=1, login="bob"))
    assert accounts().find(session, name) is accounts().find_by_email(session, name) is None


@pytest.mark.parametrize("hashed", ["plain", "sha256"])
@pytest.mark.parametrize("scheme", HASHES)
def test_a_password_is_checked_as_it_was_hashed(session, scheme, hashed):
    secret = PLAIN if hashed == "plain" else DIGEST
    add(session, User(id=1, login="bob", hash=HASHES[scheme](secret)))
    found = accounts(hashed=hashed)
    account = found.get(session, "1")
    assert (account.has_password, account.password_by_page) == (True, hashed == "plain")
    check = found.check_plain_password
    tried = (PLAIN, PLAIN.strip(), DIGEST, "", "\0", "x" * 100)
    assert [text for text in tried if check(session, "1", text)] == [PLAIN]
    assert found.check_password(session, "1", DIGEST) is (hashed == "sha256")
    assert not check(session, "2", PLAIN)


def test_bcrypt_looks_at_72_bytes_of_a_long_password(session):
    add(session, User(id=1, login="bob", hash=bcrypt.hashpw(b"x" * 72, COST).decode()))
    assert accounts().check_plain_password(session, "1", "x" * 80)


@pytest.mark.parametrize(
    "stored",
    [
        None,
        "",
        PLAIN,
        "scrypt:99999999:999:1$salt$" + "0" * 128,
        "pbkdf2:sha256:99999999$salt$" + "0" * 64,
        "$argon2id$v=19$m=4194304,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2g",
    ],
)
def test_what_is_no_hash_or_would_take_for_ever_opens_nothing(session, stored):
    add(session, User(id=1, login="bob", hash=stored))
    assert not accounts().get(session, "1").has_password
    assert not accounts().check_plain_password(session, "1", PLAIN)


def test_a_hash_of_impossible_size_opens_nothing():
    assert not opens(PLAIN, "scrypt:3:1:1$salt$" + "0" * 128)


def test_other_hashes_are_checked_by_the_host(session):
    add(session, User(id=1, login="bob", hash=PLAIN[::-1]))
    found = accounts(check=lambda password, stored: password == stored[::-1])
    assert found.get(session, "1").has_password
    assert found.check_plain_password(session, "1", PLAIN)
    assert not found.check_password(session, "1", PLAIN)


def test_over_so_many_passwords_at_once_it_is_busy(session):
    add(session, User(id=1, login="bob", hash=HASHES["scrypt"](PLAIN)))
    found = accounts(check=lambda password, _: found.check_plain_password(session, "1", password))
    found._turns = BoundedSemaphore(1)
    with pytest.raises(Busy):
        found.check_plain_password(session, "1", PLAIN)


def test_a_reset_changes_the_session_key_of_this_account_alone(session):
    add(session, User(id=1, login="bob"), User(id=2, login="eve"))
    assert accounts(session_key="fs_uniquifier").end_sessions(session, "1") == 1
    session.commit()
    keys = [session.get(User, n).fs_uniquifier for n in (1, 2)]
    assert (len(keys[0]), keys[1]) == (32, "first")
    assert accounts().end_sessions is None


def test_a_language_is_read_and_written(session):
    add(session, User(id=1, login="bob", key="de"), User(id=2, login="eve"))
    found = accounts(language="key", zone=lambda user: "Europe/Berlin")
    assert found.reader(session, "1") == Reader(language="de", zone="Europe/Berlin")
    found.set_language(session, "1", "fr")
    session.commit()
    read = [found.reader(session, one) for one in ("1", "2", "3")]
    assert [one and one.language for one in read] == ["fr", "", None]
    assert accounts().reader is accounts().set_language is None


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"email": "emial"}, "email: User has no attribute 'emial'"),
        ({"id": "fs_uniquifier"}, "changes when sessions end"),
        ({"username": lambda user: "bob"}, "Name an attribute"),
        ({"hashed": "md5"}, "sha256"),
        ({"roles": Role.__table__.c.name}, "User has no column roles.name"),
        ({"id": User.enabled}, "is of bool"),
        ({"email": "email", "verified": None}, "or write verified=True"),
    ],
)
def test_a_part_that_is_not_there_is_named_at_once(wrong, words):
    with pytest.raises(SettingsError, match=words):
        accounts(**wrong)


def test_what_is_no_model_is_named():
    with pytest.raises(SettingsError, match="is no model"):
        SQLAlchemyAccounts(SimpleNamespace)


def test_a_user_without_a_name_is_a_fault_of_the_host(session):
    add(session, User(id=1))
    with pytest.raises(HostError, match=r"Account\.username"):
        accounts().get(session, "1")


def test_over_the_api_a_digest_proves_where_the_hash_is_of_the_digest(make_host):
    db = SQLAlchemy()

    class Person(db.Model):
        id = db.Column(db.Integer, primary_key=True)
        username = db.Column(db.String(80))
        password = db.Column(db.String(255))

    accounts = SQLAlchemyAccounts(Person, password="password", hashed="sha256")
    bob = Person(id=1, username="bob", password=HASHES["bcrypt"](DIGEST))
    host = make_host(db=db, accounts=accounts, identify=identify_by(lambda: bob))
    with host.app.app_context():
        db.session.add(bob)
        db.session.commit()
        bob = db.session.get(Person, 1)
        assert host.reset(None, DIGEST[::-1]).json["errorType"] == "totp-invalid"
        assert host.reset(None, DIGEST.upper()).data == b'{"success":true}'
