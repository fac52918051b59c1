"""The purge: what it drops, what stays verifiable, and who can not pass a theft off as one."""

from threading import Barrier, Thread

import pytest
from sqlalchemy import delete, insert, select, update

from e2ereset.audit import AuditBroken, purge
from e2ereset.audit.heads import PURGE, sign
from e2ereset.audit.models import AuditHead, AuditPurge, AuditRow
from tests.kit.audit import KEY, NEW_KEY, NOW

LATE = NOW + 150  # between the second head and the third


@pytest.fixture
def old(log):
    """Heads of sizes 3, 6 and 8, sealed 100 seconds apart."""
    log.grow("abc", "def", "gh")
    return log


def rows(log):
    return [position for (position,) in log.all(AuditRow.position)]


def heads(log):
    return [size for (size,) in log.all(AuditHead.size)]


def test_rows_go_up_to_a_head_which_stays(old):
    assert old.purge(LATE) == [6]
    assert (rows(old), heads(old)) == ([6, 7], [6, 8])
    assert old.verify() == []


def test_the_purge_leaves_a_record(old):
    old.purge(LATE)
    assert old.all(AuditPurge.size, AuditPurge.at) == [(6, NOW + 10_000)]


def test_nothing_old_enough_is_left_alone(old):
    assert old.purge(NOW) == []
    assert (rows(old), heads(old)) == (list(range(8)), [3, 6, 8])
    assert old.all(AuditPurge.size) == []


def test_an_empty_log_has_nothing_to_purge(log):
    assert log.purge(LATE) == []
    assert log.verify() == []


def test_a_purge_of_everything_leaves_a_log_that_grows_on(old):
    assert sum(old.purge(NOW + 1000)) == 8
    old.grow("i")
    assert (rows(old), heads(old)) == ([8], [8, 9])
    assert old.verify() == []


def test_a_row_that_is_too_young_holds_its_head_back(log):
    log.write("a")
    log.write("late", at=LATE + 1)
    log.seal()
    assert log.purge(LATE) == []


def test_unsealed_rows_stay(old):
    old.write("i")
    assert old.purge(NOW + 1000) == [8]
    assert [action for (action,) in old.all(AuditRow.action)] == ["i"]


def test_purges_follow_one_another(old):
    assert old.purge(NOW + 50) == [3]
    assert old.purge(LATE) == [3]
    assert [size for (size,) in old.all(AuditPurge.size)] == [3, 6]
    assert old.verify() == []


@pytest.mark.parametrize("batches", range(7))
def test_a_purge_killed_between_two_batches_leaves_a_whole_log(old, batches):
    work = purge(old.transactions, old.keys, before=LATE, now=LATE, batch=1)
    for _ in range(batches):
        next(work)
    work.close()
    assert old.verify() == []
    assert old.purge(LATE) == ([] if batches == 6 else [6 - batches])
    assert (rows(old), heads(old)) == ([6, 7], [6, 8])
    assert old.verify() == []


def test_sealing_and_purging_at_once_leave_a_whole_log(old):
    barrier = Barrier(2)

    def grow():
        barrier.wait()
        for n in range(10):
            old.write("x", at=LATE)
            old.seal(at=LATE + n)

    writer = Thread(target=grow)
    writer.start()
    barrier.wait()
    dropped = sum(old.purge(LATE, batch=1))
    writer.join()
    assert dropped == 6
    assert old.verify() == []


# Attacks


def test_rows_deleted_by_hand_are_no_purge(old):
    old.tamper(delete(AuditRow).where(AuditRow.position < 3))
    old.tamper(delete(AuditHead).where(AuditHead.size <= 3))
    assert old.found() == [("row-removed", 0)]


def test_a_forged_record_is_found_and_excuses_nothing(old):
    forged = sign(old.under("a key that somebody made up").keys, PURGE, {"size": 3, "at": NOW})
    old.tamper(insert(AuditPurge).values(forged))
    old.tamper(delete(AuditRow).where(AuditRow.position < 3))
    assert old.found() == [("purge-changed", 3), ("row-removed", 0), ("tail-cut", 8)]


def test_a_record_that_was_moved_is_found(old):
    old.purge(NOW + 50)
    old.tamper(delete(AuditRow).where(AuditRow.position < 6))
    old.tamper(update(AuditPurge).values(size=6))
    found = old.found()
    assert ("purge-changed", 6) in found
    assert ("row-removed", 0) in found


def test_a_record_that_was_taken_away_is_found(old):
    old.purge(LATE)
    old.tamper(delete(AuditPurge))
    assert old.found() == [("row-removed", 0), ("tail-cut", 8)]


def test_more_rows_than_the_record_says_are_missed(old):
    old.purge(LATE)
    old.tamper(delete(AuditRow).where(AuditRow.position == 6))
    assert old.found() == [("row-removed", 6)]


@pytest.mark.parametrize(
    "harm",
    [
        delete(AuditHead).where(AuditHead.size == 6),
        update(AuditHead).where(AuditHead.size == 6).values(root="00" * 32),
    ],
)
def test_the_kept_head_is_missed(old, harm):
    old.purge(LATE)
    old.tamper(harm)
    assert ("head-changed", 6) in old.found()


def test_a_row_put_below_the_purge_is_found(old):
    old.purge(LATE)
    old.tamper(
        "INSERT INTO e2ereset_audit (uid, at, action, caller, target, method, address, agent,"
        " outcome, digest, position) SELECT 'new', at, action, caller, target, method, address,"
        " agent, outcome, digest, 2 FROM e2ereset_audit WHERE position = 6"
    )
    assert old.found() == [("row-changed", 2)]


def test_a_row_whose_time_was_changed_has_no_later_row_purged(old):
    old.tamper(update(AuditRow).values(at=0))
    assert old.purge(LATE) == [6]
    assert rows(old) == [6, 7]


@pytest.mark.parametrize(
    "harm",
    [
        update(AuditHead).where(AuditHead.size == 6).values(root="00" * 32),
        delete(AuditHead).where(AuditHead.size == 8),
    ],
)
def test_a_broken_log_is_not_purged(old, harm):
    old.tamper(harm)
    with pytest.raises(AuditBroken):
        old.purge(LATE)
    assert rows(old) == list(range(8))


# Checkpoints


def test_a_checkpoint_from_before_the_purge_can_not_be_checked(log):
    notes = []
    for word, at in [("abc", 0), ("def", 100), ("gh", 200)]:
        log.write(*word, at=NOW + at)
        log.seal(at=NOW + at + 1)
        notes.append(log.checkpoint())
    log.purge(LATE)
    assert log.held_against("\n\n".join(notes)) == [("checkpoint-purged", 6)]
    assert log.held_against("\n\n".join(notes[1:])) == []


def test_a_change_after_the_purge_is_found_by_a_checkpoint(old):
    note = old.checkpoint()
    old.purge(LATE)
    assert old.held_against(note) == []
    old.tamper(update(AuditRow).where(AuditRow.position == 7).values(caller="bob"))
    assert old.held_against(note) == [("checkpoint-mismatch", 8)]


def test_the_record_is_signed_again_when_keys_rotate(old):
    old.purge(LATE)
    rotated = old.under(NEW_KEY, KEY)
    assert rotated.count_old() == 3
    assert sum(rotated.sign_again()) == 3
    assert old.under(NEW_KEY).verify() == []
    with old.transactions.read() as session:
        assert session.scalar(select(AuditPurge.digest)).startswith(rotated.keys.newest)
