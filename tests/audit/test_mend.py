"""Mending: how a log goes on after its end was broken, and what stays to be seen of it."""

import secrets

import pytest

from e2ereset.audit import AuditTrail, Operator
from e2ereset.audit.maintenance import NothingToMend, mend
from e2ereset.audit.models import AuditPurge, AuditRow
from tests.kit.audit import NOW

FORGED = "UPDATE heads SET root = 'ff' WHERE size = 6"
REMOVED = "DELETE FROM heads WHERE size = 6"
ADDED = (
    "INSERT INTO heads (size, root, frontier, since, at, digest) VALUES (9, '', '[]', 9, 9, 'x')"
)


def mended(log):
    trail = AuditTrail(log.keyring, secrets)
    root = Operator(login="root", reason="a full disk")
    return mend(log.transactions, log.keyring, trail, now=NOW, by=root)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (FORGED, "went on after row 3: dropped 1 heads, placed 3 rows again"),
        (REMOVED, "went on after row 3: dropped 0 heads, placed 3 rows again"),
        ("DELETE FROM heads", "went on after row 0: dropped 0 heads, placed 6 rows again"),
        (ADDED, "went on after row 6: dropped 1 heads, placed 0 rows again"),
        ("DELETE FROM sealer", "went on after row 6: dropped 0 heads, placed 0 rows again"),
    ],
)
def test_a_mended_log_seals_again_and_tells_who_mended_it_and_why_for_good(sealed, harm, said):
    sealed.tamper(harm)
    assert mended(sealed) == said
    sealed.grow("g")
    (flaw,) = sealed.verify()
    assert (flaw.kind, flaw.wrong, said in str(flaw)) == ("mended", False, True)
    rows = sealed.all(AuditRow.action, AuditRow.caller, AuditRow.reason)
    assert len(rows) == 8
    assert ("audit-mended", "operator:root", "a full disk") in rows


def test_rows_that_were_forged_are_found_after_it_too(sealed):
    sealed.tamper(REMOVED, "UPDATE rows SET caller = 'bob' WHERE position = 4")
    mended(sealed)
    sealed.seal()
    assert "row-changed 4" in sealed.found()


def test_a_checkpoint_still_tells_what_was_cut_off(sealed):
    note = sealed.checkpoint()
    sealed.tamper("DELETE FROM rows WHERE position >= 3", "DELETE FROM heads WHERE size > 3")
    mended(sealed)
    sealed.grow("ghi")
    assert sealed.found() == "mended 3"
    assert sealed.held_against(note) == "checkpoint-mismatch 6"


def test_a_whole_log_is_not_mended(sealed):
    with pytest.raises(NothingToMend):
        mended(sealed)
    assert sealed.verify() == []


def test_a_purge_without_its_head_is_forgotten(log):
    log.grow("abc", "def")
    log.purge(NOW + 50)
    log.tamper("DELETE FROM heads")
    mended(log)
    log.seal()
    assert log.column(AuditPurge.size) == []
    assert [flaw.kind for flaw in log.verify() if flaw.wrong] == []
