"""Hashing at sign-ins and resets: bounded, and of any hash that a row may hold."""

from contextlib import contextmanager

import pytest

from e2ereset.audit.models import AuditRow
from e2ereset.factors.models import Budget
from e2ereset.server.people.models import User
from e2ereset.server.sessions.service import current_sessions
from tests.kit.client import ME
from tests.kit.password_hashes import FOREIGN
from tests.kit.world import sha256

pytestmark = pytest.mark.long

RIGHT = sha256("pw")


@pytest.fixture
def bob(world):
    """Somebody whose only factor is the password."""
    return world.person("bob", password="pw")


@contextmanager
def all_turns_taken(world):
    """While others hash as many passwords as may be at once."""
    turn = current_sessions(world.app).hasher.turn
    with turn(), turn(), turn():
        yield


def counts(world):
    """What has been counted of tries, and of failures in a row."""
    return {(row.purpose, row.count_1, row.failures) for row in world.rows(Budget)}


def store(world, stored):
    """Have this in the place of everybody's password hash."""
    world.session.query(User).update({"password_hash": stored})
    world.session.commit()


def test_a_sign_in_over_the_bound_is_503_and_counts_nothing(world, bob):
    with all_turns_taken(world):
        for name in ("bob", "nobody"):
            answer = world.login(name)
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
            assert answer.json == {"success": False, "error": "Service Unavailable"}
    assert counts(world) == set()
    assert world.login().status_code == 200


def test_who_is_signed_in_is_answered_meanwhile(world, bob):
    with all_turns_taken(world):
        assert world.client.get(ME, headers=bob.headers).status_code == 200


def test_a_reset_over_the_bound_does_nothing_and_takes_its_try_back(world, bob):
    world.reset(bob, code=sha256("wrong"))
    with all_turns_taken(world):
        answer = world.reset(bob, code=RIGHT)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert world.has_key(bob)
    assert counts(world) == {("verify:password", 1, 1)}
    assert world.reset(bob, code=RIGHT).status_code == 200


def test_sign_ins_leave_a_turn_to_a_reset(world, bob):
    hasher = current_sessions(world.app).hasher
    with hasher.sign_in_turn(), hasher.sign_in_turn():
        assert world.login().status_code == 503
        assert world.reset(bob, code=RIGHT).status_code == 200


def test_what_is_over_the_bound_is_one_line_of_the_log(world, bob, caplog):
    with all_turns_taken(world):
        world.login()
    (record,) = (r for r in caplog.records if r.name == "e2ereset.http.envelope")
    assert record.levelname == "WARNING"
    assert "\n" not in record.getMessage()


@pytest.mark.parametrize("stored", FOREIGN)
def test_a_foreign_or_broken_hash_is_a_wrong_password(world, bob, stored):
    store(world, stored)
    assert world.login().status_code == 401
    assert world.reset(bob, code=RIGHT).json["errorType"] == "totp-invalid"
    assert world.rows(AuditRow)[-1].method == "password"


def test_a_hash_of_argon2_signs_in_and_is_replaced(world, bob):
    argon2 = pytest.importorskip("argon2")
    store(world, argon2.PasswordHasher(1, 8, 1).hash(RIGHT))
    assert world.login(password="no").status_code == 401
    assert world.login().status_code == 200
    assert world.rows(User)[0].password_hash.startswith("$2b$04$")


@pytest.mark.parametrize("of", ["login", "reset"])
def test_each_hash_runs_within_a_turn(world, bob, monkeypatch, of):
    hasher, left = current_sessions(world.app).hasher, []
    monkeypatch.setattr(hasher, "verify", lambda *_: left.append(hasher._turns._value) or False)
    world.login() if of == "login" else world.reset(bob, code=RIGHT)
    assert left == [2]
    assert hasher._turns._value == 3
