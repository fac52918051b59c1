import secrets

import pytest
from sqlalchemy import event

from e2ereset.audit import AuditBroken, AuditTrail, tail
from e2ereset.audit.models import AuditHead, AuditRow
from e2ereset.audit.rows import clean
from tests.kit.audit import COPY, NOW, write_row
from tests.kit.live import at_once
from tests.kit.rows import row

FACTS = "at", "action", "caller", "target", "method", "address", "agent", "outcome", "reason"


@pytest.fixture
def statements(engine) -> list[str]:
    seen: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *given: seen.append(given[2]))
    return seen


# Rows


def test_write_is_one_insert(log, statements):
    log.write("first")
    statements.clear()  # the first one of all asks PostgreSQL for its limits
    log.write("reset")
    assert [statement[:27] for statement in statements] == ["INSERT INTO e2ereset_audit "]


def test_write_is_gone_with_its_transaction(log):
    with log.transactions.read() as session:
        write_row(AuditTrail(log.keyring, secrets), session)
        session.rollback()
    assert log.all(AuditRow.id) == []


@row("12.16.4.1")
@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("bob", "bob"),
        ("Ünï 😀", "Ünï 😀"),
        ("a\nFAKE line", "a\\nFAKE line"),
        ("\x1b[2J\x00", "\\x1b[2J\\x00"),
        ("\u202eevil\u2028", "\\u202eevil\\u2028"),
        ("\ud800", "\\ud800"),
        ("x" * 300, "x" * 255),
        ("\n" * 300, "\\n" * 127 + "\\"),
    ],
)
def test_text_is_cleaned(log, given, kept):
    log.write("reset", agent=given)
    assert log.column(AuditRow.agent) == [kept] == [clean(kept)]
    assert log.verify() == []


@row("12.16.2.2")
def test_tail_is_newest_last_in_words(log):
    log.write("a")
    log.seal()
    log.write("b", "c", target="bob")
    with log.transactions.read() as session:
        rows = tail(session, 2)
    said = {"action": "c", "caller": "alice", "target": "bob", "outcome": "done"}
    empty = dict.fromkeys(("method", "address", "agent", "reason"), "")
    assert rows[1] == {"position": None, "at": "2023-11-14T22:13:20.000Z"} | said | empty
    assert rows[0]["action"] == "b"


def test_tail_shows_garbage_harmlessly(sealed):
    sealed.garble("UPDATE rows SET at = 'never', agent = CAST(x'1bff' AS TEXT)")
    with sealed.transactions.read() as session:
        row = tail(session, 1)[0]
    assert (row["at"], row["agent"]) == ("never", "\\x1b\\udcff")


# Sealing


def test_nothing_to_seal_is_one_select(log, statements):
    assert log.seal() == 0
    assert [statement[:6] for statement in statements] == ["SELECT"]


def test_seal_goes_on_in_batches_until_none_waits(log):
    log.write(*"abcdefg")
    assert log.seal(batch=3) == 7
    assert log.all(AuditHead.size, AuditHead.at) == [(3, NOW + 1), (6, NOW + 1), (7, NOW + 1)]
    assert log.verify() == []


def test_sealing_takes_its_turn_first(log, statements):
    log.write("a")
    del statements[:]
    log.seal()
    assert statements[1].startswith("INSERT INTO e2ereset_audit_sealer")


def test_row_that_commits_late_is_sealed_later(log):
    log.write("first", "second")
    log.seal()
    log.write("late")
    log.tamper("UPDATE rows SET id = 0 WHERE action = 'late'")
    log.seal()
    assert log.all(AuditRow.position, AuditRow.action)[2] == (2, "late")
    assert log.verify() == []


def test_writing_sealing_and_verifying_at_once_lose_nothing(log):
    def seal():
        sealed = 0
        for _ in range(30):
            sealed += log.seal(batch=5)
            assert log.verify() == []
        return sealed

    def write():
        for _ in range(40):
            log.write("a")

    first, second, *_ = at_once([seal, seal, write, write])
    assert first + second + log.seal() == 80
    assert log.column(AuditRow.position) == list(range(80))
    assert log.verify() == []


# Tampering


CUT = "DELETE FROM rows WHERE position >= 3", "DELETE FROM heads WHERE size > 3"
MOVE = "UPDATE rows SET position = {1} WHERE position = {0}"
HEAD_COPIED = (
    "INSERT INTO heads (size, root, frontier, since, at, digest)"
    " SELECT 4, root, frontier, since, at, digest FROM heads WHERE size = 3"
)
CLOSED = [MOVE.format(place, place - 1) for place in range(2, 6)]
HARMS = [
    ("root-mismatch 3, tail-cut 5", "DELETE FROM rows WHERE position = 1", *CLOSED),
    ("root-mismatch 6", MOVE.format(3, -1), MOVE.format(4, 3), MOVE.format(-1, 4)),
    *((f"row-removed {n}", f"DELETE FROM rows WHERE position = {n}") for n in range(5)),
    *((f"tail-cut {n}", f"DELETE FROM rows WHERE position >= {n}") for n in (0, 2, 3, 5)),
    ("tail-cut 0", "DELETE FROM rows", "DELETE FROM heads"),
    ("tail-cut 3", *CUT),
    ("tail-cut 3", *CUT, "DELETE FROM sealer"),
    ("tail-cut 3", *CUT, "UPDATE sealer SET mark = ''"),
    ("row-slipped-in 6", COPY.format(6, 1)),
    ("row-changed new", COPY.format("NULL", 1)),
    ("head-changed 3", "UPDATE heads SET digest = 'x:y' WHERE size = 3"),
    ("head-changed 4", HEAD_COPIED),
]


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm[-1])
def test_tampering_is_found(sealed, harm):
    found, *statements = harm
    sealed.tamper(*statements)
    assert sealed.found() == found


@row("12.16.4.2")
@pytest.mark.parametrize("column", ["uid", "digest", *FACTS])
def test_changed_row_is_found(sealed, column):
    value = 5 if column == "at" else "other"
    sealed.tamper(f"UPDATE rows SET {column} = '{value}' WHERE position = 1")
    assert sealed.found() == "row-changed 1, root-mismatch 3"
    assert str(sealed.verify()[0]).startswith("The row at position 1 was changed or forged")


@pytest.mark.parametrize(("written", "changed"), [("why", "else"), ("why", ""), ("", "why")])
def test_a_changed_reason_is_found(log, written, changed):
    log.write("a", reason=written)
    log.seal()
    log.tamper(f"UPDATE rows SET reason = '{changed}'")
    assert log.found() == "row-changed 0, root-mismatch 1"


def test_tail_cut_with_its_heads_is_found_after_sealing_went_on(sealed):
    sealed.tamper(*CUT)
    sealed.write("g")
    assert sealed.seal() == 1
    assert sealed.found() == "tail-cut 4"


@pytest.mark.parametrize("position", [-1, 2.5])
def test_row_slipped_in_between_is_found(sealed, position):
    sealed.garble(COPY.format(position, 1))
    assert [flaw.kind for flaw in sealed.verify()] == ["row-slipped-in"]


def test_genuine_row_copied_is_found(sealed):
    sealed.tamper(
        "CREATE TABLE loose AS SELECT * FROM rows",
        "DROP TABLE rows",
        "ALTER TABLE loose RENAME TO rows",
        COPY.format("NULL", 1).replace("'new'", "uid"),
        "UPDATE rows SET id = 7 WHERE id IS NULL",
    )
    sealed.seal()
    assert sealed.found() == f"row-slipped-in {sealed.uid(1)}"


def test_head_made_without_the_key_is_found(sealed):
    sealed.tamper("DELETE FROM heads", "DELETE FROM sealer", "UPDATE rows SET position = NULL")
    sealed.under("some other key, not of the log").seal()
    assert sealed.found() == "head-changed 6, tail-cut 6"


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        ("UPDATE heads SET root = 'ff' WHERE size = 6", "head-changed 6"),
        ("DELETE FROM heads WHERE size = 6", "row-slipped-in 3, tail-cut 3"),
    ],
)
def test_a_broken_end_stops_the_sealer(sealed, harm, found):
    sealed.tamper(harm)
    sealed.write("g")
    with pytest.raises(AuditBroken, match=r"audit verify.*audit mend"):
        sealed.seal()
    assert sealed.found() == found


# Secret keys


def test_lost_key_is_a_flaw_of_every_row_and_head(sealed):
    kinds = [flaw.kind for flaw in sealed.under("a key of another log").verify()]
    assert sorted(kinds) == ["head-changed"] * 2 + ["row-changed"] * 6 + ["tail-cut"]


def test_a_row_without_a_reason_is_digested_as_before_there_were_reasons(log):
    log.write("a")
    (facts,) = log.all(*(getattr(AuditRow, name) for name in ("digest", "uid", *FACTS[:-1])))
    assert log.keyring.matches(facts[0], "audit row", *map(str, facts[1:]))


# Garbage

GARBAGE = ["''", "'garbage'", "x'ff00'", "CAST(x'ff' AS TEXT)", "1e300", "-5", "'KEY:ü'"]
garbage = pytest.mark.parametrize("value", GARBAGE)
PLACES = [
    *(("rows", "position = 4", column) for column in ("at", "caller", "digest")),
    *(("heads", "size = 3", column) for column in ("root", "frontier", "at", "digest")),
    ("sealer", "id = 1", "mark"),
]
FLAWS = {
    "rows": "row-changed 4, root-mismatch 6",
    "heads": "head-changed 3",
    "sealer": "tail-cut 6",
}


@garbage
@pytest.mark.parametrize(("table", "where", "column"), PLACES)
def test_garbage_is_found(sealed, table, where, column, value):
    sealed.garble(f"UPDATE {table} SET {column} = {value} WHERE {where}")
    assert sealed.found() == FLAWS[table]


@garbage
@pytest.mark.parametrize(
    ("place", "kind"), [("rows SET position", "row-slipped-in"), ("heads SET size", "head-changed")]
)
def test_garbage_as_a_place_is_found(sealed, place, kind, value):
    sealed.garble(f"UPDATE {place} = {value} WHERE {place.split()[-1]} = 3")
    assert all(str(flaw).isprintable() for flaw in sealed.verify())
    assert kind in sealed.found()


@garbage
def test_garbage_slipped_in_does_not_stop_the_sealer(sealed, value):
    sealed.garble(COPY.format("NULL", 1), f"UPDATE rows SET agent = {value} WHERE uid = 'new'")
    assert sealed.seal() == 1
    assert sealed.found() == "row-changed 6"
