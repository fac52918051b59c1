"""Passwords: bcrypt of the lower-case SHA-256 hex, as the reference stores them."""

import sys
import time
from contextlib import ExitStack

import bcrypt
import pytest

from e2ereset.errors import Busy
from e2ereset.server.people.password_hashing import PasswordHasher, can_verify
from tests.kit.password_hashes import FOREIGN, HELLO
from tests.kit.rows import row


@pytest.fixture(scope="module")
def hasher():
    return PasswordHasher(4)


@pytest.fixture
def argon2():
    """The library that opens hashes of Argon2, where it is installed."""
    return pytest.importorskip("argon2")


def test_the_digest_is_what_clients_send():
    assert PasswordHasher.digest("hello") == HELLO


@row("11.N13")
def test_a_password_opens_its_own_hash(hasher):
    one, other = hasher.hash("hello"), hasher.hash("hello")
    assert one != other
    assert hasher.verify(HELLO, one)


@pytest.mark.parametrize("digest", ["", "hello", HELLO.upper(), HELLO + "\n", "é" * 64, "\ud800"])
def test_what_is_no_digest_is_never_right(hasher, digest):
    assert not hasher.verify(digest, hasher.hash("hello"))


@row("12.6.2.8", "12.6.2.9")
@pytest.mark.parametrize(("one", "other"), [("Hello", "hello"), ("x" * 72 + "a", "x" * 72 + "b")])
def test_another_password_does_not_whatever_its_case_and_length(hasher, one, other):
    assert not hasher.verify(hasher.digest(one), hasher.hash(other))


def test_the_dummy_has_the_cost_of_a_real_hash_and_says_no():
    hasher = PasswordHasher(5)
    assert hasher._nobody.startswith(b"$2b$05$")
    assert hasher.dummy() is False


def worked(hasher, monkeypatch, digest, stored):
    """How many rounds of bcrypt a comparison takes."""
    costs = []
    real = bcrypt.checkpw

    def counted(password, salt):
        costs.append(int(salt.split(b"$")[2]))
        return real(password, salt)

    with monkeypatch.context() as patch:
        patch.setattr(bcrypt, "checkpw", counted)
        assert not hasher.verify(digest, stored)
    return sum(2**cost for cost in costs)


@pytest.mark.parametrize("stored", FOREIGN)
def test_a_foreign_or_broken_hash_is_never_right_and_takes_as_long(hasher, monkeypatch, stored):
    assert worked(hasher, monkeypatch, HELLO, stored) == 2**4
    assert not can_verify(stored)


@pytest.mark.parametrize("stored", [None, 7, b"$2b$04$" + b"a" * 53])
def test_what_is_no_text_is_no_hash(hasher, stored):
    assert not hasher.verify(HELLO, stored)


@pytest.mark.parametrize("prefix", ["$2a$", "$2b$", "$2y$"])
def test_all_kinds_of_bcrypt_open(hasher, prefix):
    stored = prefix + hasher.hash("hello").removeprefix("$2b$")
    assert hasher.verify(HELLO, stored)
    assert hasher.needs_rehash(stored) == (prefix != "$2b$")


@pytest.mark.parametrize("cost", [4, 5, 6, 7])
def test_a_wrong_password_takes_as_long_for_a_hash_of_a_lower_cost(monkeypatch, cost):
    hasher, old = PasswordHasher(7), PasswordHasher(cost)
    assert worked(hasher, monkeypatch, "0" * 64, old.hash("hello")) == 2**7


def test_a_hash_of_a_higher_cost_opens_too_and_wants_a_new_one(hasher):
    stored = PasswordHasher(6).hash("hello")
    assert hasher.verify(HELLO, stored)
    assert not hasher.verify("0" * 64, stored)
    assert hasher.needs_rehash(stored)


@pytest.mark.parametrize("kind", ["ID", "I", "D"])
def test_a_hash_of_argon2_opens_where_that_is_installed(hasher, argon2, kind):
    stored = argon2.PasswordHasher(1, 8, 1, type=argon2.Type[kind]).hash(HELLO)
    assert hasher.verify(HELLO, stored)
    assert not hasher.verify("0" * 64, stored)
    assert hasher.needs_rehash(stored)
    assert can_verify(stored)


@pytest.mark.parametrize("rest", ["c2FsdA$", "c2FsdHNhbHQ$aGFzaGhhc2g"])
def test_a_wrong_password_takes_as_long_for_a_hash_of_argon2(argon2, monkeypatch, rest):
    stored = "$argon2id$v=19$m=8,t=1,p=1$" + rest
    assert 0.7 < worked(PasswordHasher(8), monkeypatch, HELLO, stored) / 2**8 <= 1


def test_without_argon2_its_hashes_are_foreign(hasher, monkeypatch):
    monkeypatch.setitem(sys.modules, "argon2", None)
    stored = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2g"
    assert worked(hasher, monkeypatch, HELLO, stored) == 2**4


def test_sign_ins_leave_a_turn_to_others():
    hasher = PasswordHasher(4, at_once=2)
    with hasher.sign_in_turn():
        for _ in range(2):  # the second time shows that the first gave back what it had taken
            with pytest.raises(Busy), hasher.sign_in_turn():
                pass
        with hasher.turn():
            pass


@pytest.mark.parametrize(("threads", "turns"), [(1, 1), (2, 1), (3, 2), (4, 3), (16, 3)])
def test_fewer_hash_at_once_than_there_are_threads_and_nobody_waits(threads, turns):
    hasher, began = PasswordHasher(4, at_once=3), time.perf_counter()
    hasher.keep_below(threads)
    with ExitStack() as taken:
        for _ in range(turns):
            taken.enter_context(hasher.turn())
        with pytest.raises(Busy), hasher.turn():
            pass
    assert time.perf_counter() - began < 0.9


def test_a_turn_is_given_back_whatever_comes_of_it():
    hasher = PasswordHasher(4, at_once=1)
    with pytest.raises(KeyError), hasher.sign_in_turn():
        raise KeyError
    with hasher.sign_in_turn():
        pass


def test_an_argon2_hash_that_asks_for_much_memory_is_not_verified(argon2):
    hashed = "$argon2id$v=19$m={},t=1,p=1$c29tZXNhbHQ$" + "A" * 43
    assert can_verify(hashed.format(1 << 18))
    assert not can_verify(hashed.format((1 << 18) + 1))
