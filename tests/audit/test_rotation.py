"""Rotation of the secret keys: heads are signed again, rows are vouched for by heads."""

import logging

import pytest

from e2ereset.audit import AuditBroken
from e2ereset.audit.maintenance import sign_again
from tests.kit.audit import KEY, NEW_KEY, NOW
from tests.kit.live import at_once

STRANGER, THIRD = "a key that somebody made up", "one more key, newer than that"
FORGE_HEAD = "UPDATE heads SET root = 'ff' WHERE size = 3"


@pytest.fixture
def rotated(sealed):
    """The log of six rows by somebody who holds both secret keys."""
    return sealed.under(NEW_KEY, KEY)


@pytest.fixture
def alone(rotated):
    """The log by somebody who holds the new secret key alone, after the rotation."""
    rotated.sign_again()
    return rotated.under(NEW_KEY)


def test_every_head_is_signed_again_once(rotated):
    assert (rotated.count_old(), sum(rotated.sign_again())) == (2, 2)
    assert (rotated.count_old(), sum(rotated.sign_again())) == (0, 0)
    assert rotated.verify() == []


def test_before_it_the_old_key_cannot_go(sealed):
    with pytest.raises(AuditBroken):
        sealed.under(NEW_KEY).grow("g")


def test_rows_under_the_old_key_are_sealed_first(sealed):
    sealed.write("g")
    rotated = sealed.under(NEW_KEY, KEY)
    assert sum(rotated.sign_again()) == 2
    assert rotated.under(NEW_KEY).verify() == []


@pytest.mark.parametrize("batches", [0, 1, 2])
def test_it_goes_on_after_it_was_killed(rotated, batches):
    work = sign_again(rotated.transactions, rotated.keyring, 1, clock=lambda: NOW)
    for _ in range(batches):
        next(work)
    work.close()
    assert rotated.verify() == []
    rotated.sign_again()
    assert rotated.under(NEW_KEY).verify() == []


def test_a_forged_head_is_left_and_told(rotated, caplog):
    rotated.tamper(FORGE_HEAD)
    with caplog.at_level(logging.WARNING):
        assert sum(rotated.sign_again(batch=1)) == 1
    assert "e2ereset_audit_heads 3" in caplog.text
    assert rotated.count_old() == 1
    assert rotated.under(NEW_KEY).found().startswith("head-changed 3")


def test_a_wrong_mark_stays_wrong(rotated):
    rotated.tamper("UPDATE sealer SET mark = ''")
    rotated.sign_again()
    assert rotated.found() == "tail-cut 6"


def test_sealers_at_work_lose_nothing(rotated):
    for n in range(20):
        rotated.under(KEY).grow(str(n)[0])
    words = ["x"] * 20
    at_once([lambda: rotated.grow(*words, every=0), lambda: rotated.sign_again(batch=3)])
    assert rotated.count_old() == 0
    assert rotated.under(NEW_KEY).verify() == []


# Rows whose secret key is gone


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        ("UPDATE rows SET caller = 'bob' WHERE position = 4", "row-changed 4"),
        ("UPDATE rows SET caller = 'bob' WHERE position = 4", "root-mismatch 6"),
        ("DELETE FROM rows WHERE position = 1", "row-removed 1"),
        (FORGE_HEAD, "head-changed 3, row-changed 0, row-changed 1, row-changed 2"),
    ],
)
def test_tampering_under_a_retired_key_is_found(alone, harm, found):
    alone.tamper(harm)
    assert found in alone.found()


def test_a_row_under_an_unknown_key_is_found_unsealed_and_slipped_in(alone):
    alone.under(STRANGER).write("forged")
    assert alone.found() == f"row-changed {alone.uid(None)}"
    alone.tamper("UPDATE rows SET position = 6 WHERE position IS NULL")
    assert alone.found() == "row-slipped-in 6"


def test_a_row_of_a_held_key_is_never_vouched_for(alone):
    alone.write("g")
    alone.tamper("UPDATE rows SET caller = 'bob' WHERE position IS NULL")
    alone.seal()
    assert alone.found() == "row-changed 6"


def test_a_row_forged_under_an_unknown_key_is_found_once_it_is_sealed(alone):
    alone.write("g")
    alone.under(STRANGER).write("forged")
    alone.seal()
    assert alone.found() == "row-changed 7"
    alone.under(THIRD, NEW_KEY).sign_again()
    assert alone.under(THIRD).found() == "row-changed 6, row-changed 7"


def test_a_forged_row_is_not_vouched_for_once_its_head_was_removed(alone):
    alone.under(STRANGER).write("forged")
    alone.seal()
    alone.grow("h")
    alone.tamper("DELETE FROM heads WHERE size = 7")
    assert alone.found() == "row-changed 6"


def test_rows_sealed_where_their_key_was_not_known_yet_are_vouched_for_later(sealed):
    both = sealed.under(NEW_KEY, KEY)
    both.write("g")
    sealed.seal()  # by a worker that was not restarted yet
    assert sealed.found() == "row-changed 6"
    assert both.verify() == []
    sealed.under(THIRD, NEW_KEY, KEY).sign_again()
    assert sealed.under(THIRD).verify() == []
