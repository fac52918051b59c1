"""Mending: how a log goes on after its end was broken, and what stays to be seen of it."""

import secrets

import pytest
from sqlalchemy import delete, insert, update

from e2ereset.audit import AuditBroken, AuditTrail, Operator, mend
from e2ereset.audit.maintenance import NothingToMend
from e2ereset.audit.models import AuditHead, AuditPurge, AuditRow, AuditSealer
from tests.kit.audit import NOW

ROOT = Operator(login="root", reason="a full disk")
BREAKS = {
    "last head forged": update(AuditHead).where(AuditHead.size == 6).values(root="00" * 32),
    "last head removed": delete(AuditHead).where(AuditHead.size == 6),
    "all heads removed": delete(AuditHead),
    "head forged behind the last": insert(AuditHead).values(
        size=9, root="", frontier="[]", since=9, at=NOW, digest="x"
    ),
    "mark removed": delete(AuditSealer),
}


def mended(log):
    return mend(log.transactions, log.keys, AuditTrail(log.keys, secrets), now=NOW, by=ROOT)


@pytest.mark.parametrize("harm", BREAKS.values(), ids=BREAKS)
def test_a_mended_log_seals_again(sealed, harm):
    sealed.tamper(harm)
    mended(sealed)
    sealed.grow("g")
    assert [f.kind for f in sealed.verify() if f.wrong] == []
    assert len(sealed.all(AuditRow.position)) == 8


def test_the_log_tells_of_it_for_good(sealed):
    sealed.tamper(BREAKS["last head forged"])
    said = mended(sealed)
    sealed.grow("g")
    (finding,) = sealed.verify()
    assert (finding.kind, finding.wrong) == ("mended", False)
    assert said in str(finding)
    assert said == "went on after row 3: dropped 1 heads, placed 3 rows again"


def test_rows_that_were_forged_are_found_after_it_too(sealed):
    sealed.tamper(BREAKS["last head removed"])
    sealed.tamper(update(AuditRow).where(AuditRow.position == 4).values(caller="bob"))
    mended(sealed)
    sealed.seal()
    assert ("row-changed", 4) in sealed.found()


def test_a_checkpoint_still_tells_what_was_cut_off(sealed):
    note = sealed.checkpoint()
    sealed.tamper(delete(AuditRow).where(AuditRow.position >= 3))
    sealed.tamper(delete(AuditHead).where(AuditHead.size > 3))
    mended(sealed)
    sealed.grow("ghi")
    assert sealed.found() == [("mended", 3)]
    assert sealed.held_against(note) == [("checkpoint-mismatch", 6)]


def test_a_whole_log_is_not_mended(sealed):
    with pytest.raises(NothingToMend):
        mended(sealed)
    assert sealed.verify() == []


def test_a_purge_without_its_head_is_forgotten(log):
    log.grow("abc", "def")
    log.purge(NOW + 50)
    log.tamper(delete(AuditHead))
    mended(log)
    log.seal()
    assert log.all(AuditPurge.size) == []
    assert [f.kind for f in log.verify() if f.wrong] == []


def test_the_sealer_alone_mends_nothing(sealed):
    sealed.tamper(BREAKS["last head forged"])
    sealed.write("g")
    with pytest.raises(AuditBroken, match="audit mend"):
        sealed.seal()


def test_the_row_of_a_mending_names_who_did_it_and_why(sealed):
    sealed.tamper(BREAKS["mark removed"])
    mended(sealed)
    rows = sealed.all(AuditRow.action, AuditRow.caller, AuditRow.reason)
    assert ("audit-mended", "operator:root", "a full disk") in set(map(tuple, rows))
