"""Keyed digests and the secret box."""

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2ereset.crypto import KeyRing, UnknownKey

OLD, NEW = "old key, old key", "new key, new key"
RING = KeyRing([NEW, OLD])


@given(st.text())
def test_what_is_encrypted_decrypts_to_the_same_text(text):
    assert RING.decrypt("p", "c", RING.encrypt("p", "c", text)) == text


def test_a_box_opens_for_its_purpose_and_context_only():
    encrypted = RING.encrypt("totp", "bob", "secret")
    for purpose, context in (("totp", "eve"), ("outbox", "bob")):
        with pytest.raises(UnknownKey):
            RING.decrypt(purpose, context, encrypted)


def test_a_box_of_an_older_key_still_opens():
    encrypted = KeyRing([OLD]).encrypt("p", "c", "text")
    assert RING.decrypt("p", "c", encrypted) == "text"


def test_a_box_of_a_lost_key_says_what_to_do():
    encrypted = KeyRing([OLD]).encrypt("p", "c", "text")
    with pytest.raises(UnknownKey, match="Put that key back"):
        KeyRing([NEW]).decrypt("p", "c", encrypted)


def test_a_changed_box_is_found():
    encrypted = RING.encrypt("p", "c", "text")
    with pytest.raises(UnknownKey):
        RING.decrypt("p", "c", encrypted[:-6] + "AAAA==")


@pytest.mark.parametrize("encrypted", ["", "x", RING.newest + ":", RING.newest + ":?", "é:é"])
def test_garbage_is_an_unknown_key_and_no_fault(encrypted):
    with pytest.raises(UnknownKey):
        RING.decrypt("p", "c", encrypted)


@given(st.lists(st.text(), min_size=1), st.lists(st.text(), min_size=1))
def test_digests_are_equal_for_equal_parts_only(one, two):
    assert (RING.digest("p", *one) == RING.digest("p", *two)) == (one == two)


def test_a_digest_of_an_older_key_still_matches():
    assert RING.matches(KeyRing([OLD]).digest("p", "x"), "p", "x")


@pytest.mark.parametrize("stored", ["", "zz", RING.newest + ":é", RING.digest("p", "y")])
def test_what_is_no_digest_does_not_match(stored):
    assert not RING.matches(stored, "p", "x")


def test_no_key_is_in_the_repr():
    assert NEW not in repr(RING)


def test_no_two_seals_of_a_text_are_alike():
    assert len({RING.encrypt("totp", "bob", "text")[:30] for _ in range(20)}) == 20


def test_digests_are_compared_in_constant_time(monkeypatch):
    digest, compared = RING.digest("p", "x"), []
    monkeypatch.setattr(hmac, "compare_digest", lambda *two: compared.append(two) or True)
    assert RING.matches(digest, "p", "x")
    assert compared == [(digest.encode(), digest.encode())]
