import json
import secrets
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from threading import Barrier, Event

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, event, select, update

from e2ereset.audit import AuditBroken, AuditTrail, tail
from e2ereset.audit.models import AuditHead, AuditRow, AuditSealer
from e2ereset.audit.rows import clean
from e2ereset.crypto import KeyRing
from tests.kit.audit import NOW, Log, write_row
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
    assert len(statements) == 1
    assert statements[0].startswith("INSERT INTO e2ereset_audit ")


def test_write_is_gone_with_its_transaction(log):
    with log.transactions.read() as session:
        write_row(AuditTrail(log.keys, secrets), session)
        session.rollback()
    assert log.all(AuditRow.id) == []


def test_writers_of_equal_entries_make_different_rows(log):
    log.write("reset", "reset")
    assert len({uid for (uid,) in log.all(AuditRow.uid)}) == 2


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
    assert log.all(AuditRow.agent) == [(kept,)]
    assert log.verify() == []


@given(st.text(alphabet=st.characters(), max_size=400))
def test_cleaned_text_is_printable_short_and_stays(text):
    assert clean(text).isprintable()
    assert len(clean(text)) <= 255
    assert clean(clean(text)) == clean(text)


@row("12.16.2.2")
def test_tail_is_newest_last_in_words(log):
    log.write("a")
    log.seal()
    log.write("b", "c", target="bob")
    with log.transactions.read() as session:
        rows = tail(session, 2)
    assert rows[1] == {
        "position": None,
        "at": "2023-11-14T22:13:20.000Z",
        "action": "c",
        "caller": "alice",
        "target": "bob",
        "method": "",
        "address": "",
        "agent": "",
        "outcome": "done",
        "reason": "",
    }
    assert rows[0]["action"] == "b"


def test_tail_shows_garbage_harmlessly(sealed):
    sealed.garble("UPDATE e2ereset_audit SET at = 'never', agent = CAST(x'1bff' AS TEXT)")
    with sealed.transactions.read() as session:
        row = tail(session, 1)[0]
    assert (row["at"], row["agent"]) == ("never", "\\x1b\\udcff")


# Sealing


def test_nothing_to_seal_is_one_select(log, statements):
    assert log.seal() == 0
    assert len(statements) == 1
    assert statements[0].startswith("SELECT")


def test_seal_puts_rows_in_order(log):
    log.write("a", "b", "c")
    assert log.seal() == 3
    assert log.all(AuditRow.position, AuditRow.action) == [(0, "a"), (1, "b"), (2, "c")]


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
    log.tamper("UPDATE e2ereset_audit SET id = 0 WHERE action = 'late'")
    log.seal()
    assert log.all(AuditRow.position, AuditRow.action)[2] == (2, "late")
    assert log.verify() == []


def test_outsider_finds_the_root_without_our_key(log):
    log.write("a", agent='Say "hé\\"')
    log.seal()
    columns = ("uid", "at", "action", "caller", "target", "method", "address", "agent", "outcome")
    (row,) = log.all(*(getattr(AuditRow, name) for name in (*columns, "digest")))
    entry = json.dumps(list(row), ensure_ascii=False, separators=(",", ":")).encode()
    assert log.all(AuditHead.root) == [(sha256(b"\0" + entry).hexdigest(),)]


def test_sealers_at_once_grow_one_tree(log):
    log.write(*(str(n) for n in range(60)))
    barrier = Barrier(4)

    def seal(_):
        barrier.wait()
        return log.seal(batch=4)

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(seal, range(4))) == 60
    assert [position for (position,) in log.all(AuditRow.position)] == list(range(60))
    assert log.verify() == []


def test_writing_while_sealing_and_verifying_loses_nothing(log):
    done = Event()

    def seal():
        while not done.is_set():
            log.seal(batch=5)
            assert log.verify() == []

    with ThreadPoolExecutor(3) as pool:
        sealing = pool.submit(seal)
        list(pool.map(log.write, [str(n) for n in range(80)]))
        done.set()
        sealing.result()
    log.seal()
    assert len(log.all(AuditRow.position)) == 80
    assert log.verify() == []


@given(st.lists(st.integers(1, 5), max_size=5), st.integers(1, 4))
def test_any_rhythm_of_writing_and_sealing_is_whole(log, rhythm, batch):
    for count in rhythm:
        log.write(*(["x"] * count))
        assert log.seal(batch) == count
    assert log.verify() == []


# Tampering


def test_untouched_log_is_whole(sealed):
    sealed.write("unsealed")
    assert sealed.verify() == []


def test_empty_log_is_whole(log):
    assert log.verify() == []


@row("12.16.4.2")
@pytest.mark.parametrize("column", ["uid", "digest", *FACTS])
def test_changed_row_is_found(sealed, column):
    value = 5 if column == "at" else "other"
    sealed.tamper(f"UPDATE e2ereset_audit SET {column} = '{value}' WHERE position = 1")
    assert sealed.found() == [("row-changed", 1), ("root-mismatch", 3)]


def test_changed_row_is_told_in_a_sentence(sealed):
    sealed.tamper("UPDATE e2ereset_audit SET outcome = 'refused' WHERE position = 1")
    assert str(sealed.verify()[0]).startswith("The row at position 1 was changed or forged")


def test_changed_unsealed_row_is_found_by_its_uid(log):
    log.write("a")
    log.tamper("UPDATE e2ereset_audit SET caller = 'bob'")
    assert log.found() == [("row-changed", log.uid(None))]


@pytest.mark.parametrize("position", [0, 1, 2, 3, 4])
def test_removed_row_is_found(sealed, position):
    sealed.tamper(delete(AuditRow).where(AuditRow.position == position))
    assert sealed.found() == [("row-removed", position)]


def test_removed_rows_with_the_gap_closed_are_found(sealed):
    sealed.tamper("DELETE FROM e2ereset_audit WHERE position = 1")
    for position in range(2, 6):
        sealed.tamper(
            f"UPDATE e2ereset_audit SET position = position - 1 WHERE position = {position}"
        )
    assert sealed.found() == [("root-mismatch", 3), ("tail-cut", 5)]


def test_rows_in_another_order_are_found(sealed):
    for old, new in [(3, -1), (4, 3), (-1, 4)]:
        sealed.tamper(f"UPDATE e2ereset_audit SET position = {new} WHERE position = {old}")
    assert sealed.found() == [("root-mismatch", 6)]


@pytest.mark.parametrize("kept", [0, 2, 3, 5])
def test_cut_tail_is_found(sealed, kept):
    sealed.tamper(delete(AuditRow).where(AuditRow.position >= kept))
    assert sealed.found() == [("tail-cut", kept)]


@pytest.mark.parametrize("kept", [0, 3])
def test_tail_cut_with_its_heads_is_found(sealed, kept):
    sealed.tamper(delete(AuditRow).where(AuditRow.position >= kept))
    sealed.tamper(delete(AuditHead).where(AuditHead.size > kept))
    assert sealed.found() == [("tail-cut", kept)]


def test_tail_cut_with_its_heads_is_found_after_sealing_went_on(sealed):
    sealed.tamper(delete(AuditRow).where(AuditRow.position >= 3))
    sealed.tamper(delete(AuditHead).where(AuditHead.size > 3))
    sealed.write("g")
    assert sealed.seal() == 1
    assert sealed.found() == [("tail-cut", 4)]


@pytest.mark.parametrize("statement", [delete(AuditSealer), update(AuditSealer).values(mark="")])
def test_cut_is_found_without_the_mark(sealed, statement):
    sealed.tamper(delete(AuditRow).where(AuditRow.position >= 3))
    sealed.tamper(delete(AuditHead).where(AuditHead.size > 3))
    sealed.tamper(statement)
    assert sealed.found() == [("tail-cut", 3)]


COPY = (
    "INSERT INTO e2ereset_audit (uid, at, action, caller, target, method, address, agent, outcome,"
    " digest, position) SELECT 'new', at, action, caller, target, method, address, agent, outcome,"
    " digest, {} FROM e2ereset_audit WHERE position = 1"
)


def test_row_slipped_in_behind_the_last_head_is_found(sealed):
    sealed.tamper(COPY.format(6))
    assert sealed.found() == [("row-slipped-in", 6)]


@pytest.mark.parametrize("position", [-1, 2.5])
def test_row_slipped_in_between_is_found(sealed, position):
    sealed.garble(COPY.format(position))
    assert [finding.kind for finding in sealed.verify()] == ["row-slipped-in"]


def test_row_slipped_in_unsealed_is_found_before_and_after_sealing(sealed):
    sealed.tamper(COPY.format("NULL"))
    assert sealed.found() == [("row-changed", "new")]
    sealed.seal()
    assert sealed.found() == [("row-changed", 6)]


def test_genuine_row_copied_is_found(sealed):
    sealed.tamper_schema(
        "CREATE TABLE loose AS SELECT * FROM e2ereset_audit",
        "DROP TABLE e2ereset_audit",
        "ALTER TABLE loose RENAME TO e2ereset_audit",
    )
    sealed.tamper(COPY.format("NULL").replace("'new'", "uid"))
    sealed.tamper("UPDATE e2ereset_audit SET id = 7 WHERE id IS NULL")
    sealed.seal()
    assert sealed.found() == [("row-slipped-in", sealed.uid(1))]


@pytest.mark.parametrize("change", ["root = 'ff'", "frontier = '[]'", "at = 1", "digest = 'x:y'"])
def test_rewritten_head_is_found(sealed, change):
    sealed.tamper(f"UPDATE e2ereset_audit_heads SET {change} WHERE size = 3")
    assert sealed.found() == [("head-changed", 3)]


def test_head_made_without_the_key_is_found(sealed):
    forger = Log(sealed.transactions, KeyRing(["some other key, not of the log"]))
    sealed.tamper(delete(AuditHead))
    sealed.tamper(delete(AuditSealer))
    sealed.tamper(update(AuditRow).values(position=None))
    forger.seal()
    assert sealed.found() == [("head-changed", 6), ("tail-cut", 6)]


def test_head_slipped_in_is_found(sealed):
    sealed.tamper(
        "INSERT INTO e2ereset_audit_heads (size, root, frontier, since, at, digest)"
        " SELECT 4, root, frontier, since, at, digest"
        " FROM e2ereset_audit_heads WHERE size = 3"
    )
    assert sealed.found() == [("head-changed", 4)]


def test_forged_last_head_stops_the_sealer(sealed):
    sealed.tamper("UPDATE e2ereset_audit_heads SET root = 'ff' WHERE size = 6")
    sealed.write("g")
    with pytest.raises(AuditBroken):
        sealed.seal()
    assert sealed.found() == [("head-changed", 6)]


def test_removed_last_head_stops_the_sealer(sealed):
    sealed.tamper(delete(AuditHead).where(AuditHead.size == 6))
    sealed.write("g")
    with pytest.raises(AuditBroken, match="audit verify"):
        sealed.seal()
    assert sealed.found() == [("row-slipped-in", 3), ("tail-cut", 3)]


# Keys


def test_log_is_whole_under_a_rotated_key(sealed):
    old, new = "a secret key for the tests", "a newer secret key of the tests"
    rotated = Log(sealed.transactions, KeyRing([new, old]))
    assert rotated.verify() == []
    rotated.write("g")
    rotated.seal()
    assert rotated.verify() == []


def test_lost_key_is_a_finding_for_every_row_and_head(sealed):
    kinds = [finding.kind for finding in sealed.verify(KeyRing(["a key of another log"]))]
    assert sorted(kinds) == ["head-changed"] * 2 + ["row-changed"] * 6 + ["tail-cut"]


# Garbage

GARBAGE = ["''", "'garbage'", "x'ff00'", "CAST(x'ff' AS TEXT)", "1e300", "-5", "'KEY:ü'"]


@pytest.mark.parametrize("value", GARBAGE)
@pytest.mark.parametrize("column", ["at", "caller", "digest"])
def test_garbage_in_a_row_is_found(sealed, column, value):
    sealed.garble(f"UPDATE e2ereset_audit SET {column} = {value} WHERE position = 4")
    assert sealed.found() == [("row-changed", 4), ("root-mismatch", 6)]


@pytest.mark.parametrize("value", GARBAGE)
@pytest.mark.parametrize("column", ["root", "frontier", "at", "digest"])
def test_garbage_in_a_head_is_found(sealed, column, value):
    sealed.garble(f"UPDATE e2ereset_audit_heads SET {column} = {value} WHERE size = 3")
    assert sealed.found() == [("head-changed", 3)]


@pytest.mark.parametrize("value", GARBAGE)
@pytest.mark.parametrize("place", ["audit SET position", "audit_heads SET size"])
def test_garbage_as_a_place_is_found(sealed, place, value):
    column = place.split()[-1]
    sealed.garble(f"UPDATE e2ereset_{place} = {value} WHERE {column} = 3")
    assert all(str(finding).isprintable() for finding in sealed.verify())
    assert sealed.verify() != []


@pytest.mark.parametrize("value", GARBAGE)
def test_garbage_as_the_mark_is_found(sealed, value):
    sealed.garble(f"UPDATE e2ereset_audit_sealer SET mark = {value}")
    assert sealed.found() == [("tail-cut", 6)]


@pytest.mark.parametrize("value", GARBAGE)
def test_garbage_slipped_in_does_not_stop_the_sealer(sealed, value):
    sealed.garble(COPY.format("NULL"))
    sealed.garble(f"UPDATE e2ereset_audit SET agent = {value} WHERE uid = 'new'")
    assert sealed.seal() == 1
    assert sealed.found() == [("row-changed", 6)]


@pytest.mark.parametrize(("written", "changed"), [("why", "else"), ("why", ""), ("", "why")])
def test_a_changed_reason_is_found(log, written, changed):
    log.write("a", reason=written)
    log.seal()
    assert log.verify() == []
    with log.transactions.begin() as session:
        session.execute(update(AuditRow).values(reason=changed))
    assert "row-changed" in [kind for kind, _ in log.found()]


def test_a_row_without_a_reason_is_digested_as_before_there_were_reasons(log):
    log.write("a")
    with log.transactions.read() as session:
        row = session.scalars(select(AuditRow)).one()
    names = ("action", "caller", "target", "method", "address", "agent", "outcome")
    parts = [row.uid, str(row.at), *(getattr(row, name) for name in names)]
    assert log.keys.matches(row.digest, "audit row", *parts)
