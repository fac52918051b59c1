"""Keyed digests and encryption."""

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2ereset.crypto import KeyRing, UnknownKey, digest_under

OLD, NEW = "old key, old key", "new key, new key"
RING = KeyRing([NEW, OLD])
# Those that UTF-8 has, without the slow look through all of them that is the default.
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(TEXT)
def test_what_is_encrypted_decrypts_to_the_same_text(text):
    assert RING.decrypt("p", "c", RING.encrypt("p", "c", text)) == text


def test_a_text_of_an_older_key_still_decrypts_and_comes_under_the_newest():
    encrypted = KeyRing([OLD]).encrypt("p", "c", "text")
    assert RING.decrypt("p", "c", encrypted) == "text"
    assert KeyRing([NEW]).decrypt("p", "c", RING.reencrypt("p", "c", encrypted)) == "text"


@pytest.mark.parametrize("work", [KeyRing.decrypt, KeyRing.reencrypt])
def test_a_text_of_a_lost_key_says_what_to_do(work):
    encrypted = KeyRing([OLD]).encrypt("p", "c", "text")
    with pytest.raises(UnknownKey, match="Put that key back"):
        work(KeyRing([NEW]), "p", "c", encrypted)


@pytest.mark.parametrize(("purpose", "context"), [("p", "other"), ("other", "c")])
def test_a_text_that_was_moved_does_not_decrypt(purpose, context):
    encrypted = RING.encrypt("p", "c", "text")
    with pytest.raises(UnknownKey):
        RING.decrypt(purpose, context, encrypted)


GARBAGE = ("", "x", f"{RING.newest}:", f"{RING.newest}:?", "é:é")


@pytest.mark.parametrize("garbage", [*GARBAGE, None])
def test_a_text_that_was_changed_does_not_decrypt(garbage):
    changed = RING.encrypt("p", "c", "text")[:-6] + "AAAA=="
    with pytest.raises(UnknownKey):
        RING.decrypt("p", "c", changed if garbage is None else garbage)


@given(st.lists(TEXT, min_size=1), st.lists(TEXT, min_size=1))
def test_digests_are_equal_for_equal_parts_only(one, two):
    assert (RING.digest("p", *one) == RING.digest("p", *two)) == (one == two)


def test_a_digest_of_an_older_key_still_matches():
    assert RING.matches(KeyRing([OLD]).digest("p", "x"), "p", "x")


@pytest.mark.parametrize("stored", ["", "zz", RING.newest + ":é", RING.digest("p", "y")])
def test_what_is_no_digest_does_not_match(stored):
    assert not RING.matches(stored, "p", "x")


def test_no_key_is_in_the_repr():
    assert NEW not in repr(RING)


def test_a_text_is_never_encrypted_alike_twice():
    assert len({RING.encrypt("totp", "bob", "text")[:30] for _ in range(20)}) == 20


def test_digests_are_compared_in_constant_time(monkeypatch):
    digest, compared = RING.digest("p", "x"), []
    monkeypatch.setattr(hmac, "compare_digest", lambda *two: compared.append(two) or True)
    assert RING.matches(digest, "p", "x")
    assert compared == [(digest.encode(), digest.encode())]


def test_a_digest_is_of_its_secret_purpose_and_parts():
    assert digest_under("s", "p", "a", "b") == digest_under("s", "p", "a", "b")
    others = ("t", "p", "a", "b"), ("s", "q", "a", "b"), ("s", "p", "ab", ""), ("s", "p", "b", "a")
    assert digest_under("s", "p", "a", "b") not in {digest_under(*other) for other in others}
