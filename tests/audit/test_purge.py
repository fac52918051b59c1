"""The purge: what it drops, what stays verifiable, and who cannot pass a theft off as one."""

import pytest
from sqlalchemy import insert

from e2ereset.audit import AuditBroken
from e2ereset.audit.heads import PURGE, sign
from e2ereset.audit.maintenance import purge
from e2ereset.audit.models import AuditHead, AuditPurge, AuditRow
from tests.kit.audit import COPY, KEY, NEW_KEY, NOW
from tests.kit.live import at_once
from tests.kit.moments import Moments

LATE = NOW + 150  # between the second head and the third


@pytest.fixture
def old(log):
    """Heads of sizes 3, 6 and 8, sealed 100 seconds apart."""
    log.grow("abc", "def", "gh")
    return log


@pytest.fixture
def purged(old):
    """The same, of whose rows the first six were purged."""
    assert old.purge(LATE) == [6]
    return old


def left(log):
    """The rows, heads and purges of a log that verifies."""
    assert log.verify() == []
    return [log.column(c) for c in (AuditRow.position, AuditHead.size, AuditPurge.size)]


def test_the_purge_leaves_a_record(purged):
    assert purged.all(AuditPurge.size, AuditPurge.at) == [(6, NOW + 10_000)]


def test_nothing_old_enough_is_left_alone(old):
    assert old.purge(NOW) == []
    assert left(old) == [list(range(8)), [3, 6, 8], []]


def test_an_empty_log_has_nothing_to_purge(log):
    assert log.purge(LATE) == []
    assert left(log) == [[], [], []]


def test_a_purge_of_everything_leaves_unsealed_rows_and_a_log_that_grows_on(old):
    old.write("i")
    assert old.purge(NOW + 1000) == [8]
    old.seal()
    assert left(old) == [[8], [8, 9], [8]]


def test_a_row_that_is_too_young_holds_its_head_back(log):
    for _ in range(2):
        log.write("a")
        log.write("late", at=LATE + 1)
        log.seal()
    assert log.purge(LATE) == []


def test_purges_follow_one_another(old):
    assert [old.purge(NOW + 50), old.purge(LATE)] == [[3], [3]]
    assert left(old) == [[6, 7], [6, 8], [3, 6]]


@pytest.mark.parametrize("batches", range(7))
def test_a_purge_killed_between_two_batches_leaves_a_whole_log(old, batches):
    work = purge(old.transactions, old.keyring, before=LATE, now=LATE, batch=1)
    for _ in range(batches):
        next(work)
    work.close()
    assert old.verify() == []
    assert sum(old.purge(LATE)) == 6 - batches
    assert left(old) == [[6, 7], [6, 8], [6]]


def test_sealing_and_purging_at_once_leave_a_whole_log(old):
    def grow():
        for n in range(10):
            old.write("x", at=LATE)
            old.seal(at=LATE + n)

    _, dropped = at_once([grow, lambda: sum(old.purge(LATE, batch=1))])
    assert dropped == 6
    assert old.verify() == []


@pytest.mark.parametrize("moment", range(1, 13))
def test_a_purge_while_the_log_is_read_is_no_flaw(old, moment):
    purging = Moments(old.transactions.engine, moment, lambda _: old.purge(LATE))
    with purging.counted():
        assert old.verify() == []
    assert purging.passed > moment
    assert old.column(AuditRow.position) == [6, 7]


# Attacks


def test_a_forged_record_is_found_and_excuses_nothing(old):
    forger = old.under("a key that somebody made up").keyring
    record = insert(AuditPurge).values(sign(forger, PURGE, {"size": 3, "at": NOW}))
    old.tamper(record, "DELETE FROM rows WHERE position < 3")
    assert old.found() == "purge-changed 3, row-removed 0, tail-cut 8"


def test_a_record_that_was_moved_is_found(old):
    old.purge(NOW + 50)
    old.tamper("DELETE FROM rows WHERE position < 6", "UPDATE purges SET size = 6")
    assert old.found().startswith("purge-changed 6, row-removed 0")


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        ("DELETE FROM purges", "row-removed 0, tail-cut 8"),
        ("DELETE FROM rows WHERE position = 6", "row-removed 6"),
        ("DELETE FROM heads WHERE size = 6", "head-changed 6"),
        ("UPDATE heads SET root = 'ff' WHERE size = 6", "head-changed 6, head-changed 6"),
        (COPY.format(2, 6), "row-changed 2"),
    ],
)
def test_tampering_after_a_purge_is_found(purged, harm, found):
    purged.tamper(harm)
    assert purged.found() == found


def test_a_row_whose_time_was_changed_has_no_later_row_purged(old):
    old.tamper("UPDATE rows SET at = 0")
    assert old.purge(LATE) == [6]
    assert old.column(AuditRow.position) == [6, 7]


@pytest.mark.parametrize(
    "harm", ["UPDATE heads SET root = 'ff' WHERE size = 6", "DELETE FROM heads WHERE size = 8"]
)
def test_a_broken_log_is_not_purged(old, harm):
    old.tamper(harm)
    with pytest.raises(AuditBroken):
        old.purge(LATE)
    assert old.column(AuditRow.position) == list(range(8))


# Checkpoints


def test_a_checkpoint_from_before_the_purge_cannot_be_checked(log):
    notes = []
    for word, at in [("abc", 0), ("def", 100), ("gh", 200)]:
        log.write(*word, at=NOW + at)
        log.seal(at=NOW + at + 1)
        notes.append(log.checkpoint())
    log.purge(LATE)
    assert log.held_against("\n\n".join(reversed(notes))) == "checkpoint-purged 6"
    assert log.held_against("\n\n".join(notes[1:])) == ""


def test_the_record_is_signed_again_when_secret_keys_rotate(purged):
    rotated = purged.under(NEW_KEY, KEY)
    assert (rotated.count_old(), sum(rotated.sign_again())) == (3, 3)
    assert purged.under(NEW_KEY).verify() == []
    assert purged.column(AuditPurge.digest)[0].startswith(rotated.keyring.newest)
