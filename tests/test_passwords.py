"""Passwords: bcrypt of the lower-case SHA-256 hex, as the reference stores them."""

import bcrypt
import pytest

from e2ereset.passwords import PasswordHasher

HELLO = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


@pytest.fixture(scope="module")
def hasher():
    return PasswordHasher(4)


def test_the_digest_is_what_clients_send():
    assert PasswordHasher.digest("hello") == HELLO


def test_a_password_opens_its_own_hash(hasher):
    assert hasher.verify(HELLO, hasher.hash("hello"))


def test_another_password_does_not(hasher):
    assert not hasher.verify(hasher.digest("Hello"), hasher.hash("hello"))


def test_a_hash_of_the_reference_server_opens(hasher):
    stored = bcrypt.hashpw(HELLO.encode(), bcrypt.gensalt(4, prefix=b"2a")).decode()
    assert hasher.verify(HELLO, stored)


@pytest.mark.parametrize("digest", ["", "hello", HELLO.upper(), HELLO + "\n", "é" * 64, "\ud800"])
def test_what_is_no_digest_is_never_right(hasher, digest):
    assert not hasher.verify(digest, hasher.hash("hello"))


def test_passwords_alike_in_their_first_72_bytes_differ(hasher):
    assert not hasher.verify(hasher.digest("x" * 72 + "a"), hasher.hash("x" * 72 + "b"))


def test_a_hash_of_another_cost_wants_a_new_one(hasher):
    stored = PasswordHasher(5).hash("hello")
    assert hasher.needs_rehash(stored)
    assert not hasher.needs_rehash(hasher.hash("hello"))


def test_the_dummy_has_the_cost_of_a_real_hash_and_says_no():
    hasher = PasswordHasher(5)
    assert hasher._nobody.startswith(b"$2b$05$")
    assert hasher.dummy() is False
