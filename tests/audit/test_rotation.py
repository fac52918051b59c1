"""Rotation of the secret keys: heads are signed again, rows are vouched for by heads."""

import logging
from threading import Barrier, Thread

import pytest
from sqlalchemy import delete, update

from e2ereset.audit import AuditBroken, sign_again
from e2ereset.audit.models import AuditHead, AuditRow, AuditSealer
from tests.kit.audit import KEY, NEW_KEY, NOW


@pytest.fixture
def rotated(sealed):
    """The log of six rows by somebody who holds both keys."""
    return sealed.under(NEW_KEY, KEY)


def test_every_head_is_signed_again(rotated):
    assert rotated.count_old() == 2
    assert sum(rotated.sign_again()) == 2
    assert rotated.count_old() == 0
    assert rotated.verify() == []


def test_the_old_key_can_go_then(rotated):
    rotated.sign_again()
    alone = rotated.under(NEW_KEY)
    assert alone.verify() == []
    alone.grow("g")
    assert alone.verify() == []


def test_before_it_the_old_key_can_not_go(sealed):
    with pytest.raises(AuditBroken):
        sealed.under(NEW_KEY).grow("g")


def test_nothing_is_left_to_do_the_second_time(rotated):
    rotated.sign_again()
    assert sum(rotated.sign_again()) == 0


def test_rows_under_the_old_key_are_sealed_first(sealed):
    sealed.write("g")
    rotated = sealed.under(NEW_KEY, KEY)
    assert sum(rotated.sign_again()) == 2
    assert rotated.under(NEW_KEY).verify() == []


@pytest.mark.parametrize("batches", [0, 1, 2])
def test_it_goes_on_after_it_was_killed(rotated, batches):
    work = sign_again(rotated.transactions, rotated.keys, 1, clock=lambda: NOW)
    for _ in range(batches):
        next(work)
    work.close()
    assert rotated.verify() == []
    rotated.sign_again()
    assert rotated.under(NEW_KEY).verify() == []


def test_a_forged_head_is_left_and_told(rotated, caplog):
    rotated.tamper(update(AuditHead).where(AuditHead.size == 3).values(root="00" * 32))
    with caplog.at_level(logging.WARNING):
        assert sum(rotated.sign_again(batch=1)) == 1
    assert "e2ereset_audit_heads 3" in caplog.text
    assert rotated.count_old() == 1
    assert rotated.under(NEW_KEY).found()[0] == ("head-changed", 3)


def test_a_wrong_mark_stays_wrong(rotated):
    rotated.tamper(update(AuditSealer).values(mark=""))
    rotated.sign_again()
    assert rotated.found() == [("tail-cut", 6)]


def test_sealers_at_work_lose_nothing(rotated):
    for n in range(20):
        rotated.under(KEY).grow(str(n)[0])
    barrier = Barrier(2)

    def seal():
        barrier.wait()
        for _ in range(20):
            rotated.grow("x")

    writer = Thread(target=seal)
    writer.start()
    barrier.wait()
    rotated.sign_again(batch=3)
    writer.join()
    assert rotated.count_old() == 0
    assert rotated.under(NEW_KEY).verify() == []


# Rows whose key is gone


@pytest.fixture
def alone(rotated):
    """The log by somebody who holds the new key alone, after the rotation."""
    rotated.sign_again()
    return rotated.under(NEW_KEY)


def test_a_changed_row_of_a_retired_key_is_found(alone):
    alone.tamper(update(AuditRow).where(AuditRow.position == 4).values(caller="bob"))
    found = alone.found()
    assert found[-1] == ("root-mismatch", 6)
    assert ("row-changed", 4) in found


def test_a_removed_row_of_a_retired_key_is_found(alone):
    alone.tamper(delete(AuditRow).where(AuditRow.position == 1))
    assert ("row-removed", 1) in alone.found()


def test_an_unsealed_row_of_an_unknown_key_is_found(alone):
    stranger = alone.under("a key that somebody made up")
    stranger.write("forged")
    assert alone.found() == [("row-changed", alone.uid(None))]


def test_a_row_slipped_in_under_an_unknown_key_is_found(alone):
    alone.under("a key that somebody made up").write("forged")
    alone.tamper(update(AuditRow).where(AuditRow.position.is_(None)).values(position=6))
    assert alone.found() == [("row-slipped-in", 6)]


def test_a_row_of_a_held_key_is_never_vouched_for(alone):
    alone.write("g")
    alone.tamper(update(AuditRow).where(AuditRow.position.is_(None)).values(caller="bob"))
    alone.seal()
    assert alone.found() == [("row-changed", 6)]


def test_rows_under_a_forged_head_are_vouched_for_by_no_other(alone):
    alone.tamper(update(AuditHead).where(AuditHead.size == 3).values(root="00" * 32))
    found = [("head-changed", 3), *(("row-changed", position) for position in (0, 1, 2))]
    assert alone.found() == found


def test_a_row_forged_under_an_unknown_key_is_found_once_it_is_sealed(alone):
    alone.write("g")
    alone.under("a key that somebody made up").write("forged")
    alone.seal()
    assert alone.found() == [("row-changed", 7)]
    alone.under("one more key, newer than that", NEW_KEY).sign_again()
    assert alone.under("one more key, newer than that").found() == [
        ("row-changed", 6),
        ("row-changed", 7),
    ]


def test_a_forged_row_is_not_vouched_for_once_its_head_was_removed(alone):
    alone.under("a key that somebody made up").write("forged")
    alone.seal()
    alone.grow("h")
    alone.tamper(delete(AuditHead).where(AuditHead.size == 7))
    assert alone.found() == [("row-changed", 6)]


def test_rows_sealed_where_their_key_was_not_known_yet_are_vouched_for_later(sealed):
    both = sealed.under(NEW_KEY, KEY)
    both.write("g")
    sealed.seal()  # by a worker that was not restarted yet
    assert sealed.found() == [("row-changed", 6)]
    assert both.verify() == []
    third = sealed.under("one more key, newer than that", NEW_KEY, KEY)
    third.sign_again()
    assert third.under("one more key, newer than that").verify() == []
