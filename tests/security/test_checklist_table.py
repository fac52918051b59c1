"""The table in docs/security-checklist.md has every row of the checklist, and its tests."""

from tests.kit.rows import PAGE, ROW, filled, marked

TEXT = PAGE.read_text(encoding="utf-8")
ROWS = {row["id"]: row for row in ROW.finditer(TEXT)}


def numbered(prefix, last):
    return [f"{prefix}{number}" for number in range(1, last + 1)]


def listed(prefix, names):
    return [prefix + name for name in names.split()]


IDS = [
    *numbered("9.", 50),
    *numbered("10.", 14),
    *numbered("11.N", 20),
    *listed(
        "12.",
        "6.1.1 6.1.3 6.2.8 6.2.9 6.3.1 6.3.4 6.3.5 6.3.6 6.3.7 6.3.8 6.4.3 6.4.4 6.4.6 6.5.1 6.5.2"
        " 6.5.3 6.5.4 6.5.5 6.5.6 6.5.8 6.6.2 6.6.3 6.6.4 6.8.4 7.2.4 7.4.1 7.4.3 7.4.5 7.5.1 7.5.3"
        " 2.3.1 2.3.3 2.3.4 2.3.5 2.4.1 2.4.2 8.2.1 8.2.2 8.3.1 8.3.2 8.1.4 11.2.4 11.5.1 11.2.2"
        " 16.2.1 16.2.2 16.2.5 16.3.1 16.3.2 16.3.3 16.4.1 16.4.2 16.5.1 16.5.2 16.5.3",
    ),
    *listed(
        "12.v4.",
        "2.2.2 2.2.3 2.5.1 2.5.5 2.7.2 2.7.3 2.7.5 2.7.6 2.8.1 2.8.2 2.8.4 2.8.5 2.8.6 2.4.4 2.4.5"
        " 3.7.1 3.3.3",
    ),
    *numbered("13.mfa.", 18),
    *numbered("13.forgot.", 12),
    *listed("13.", "1.1 1.2 1.3 1.4 1.5 2.1 2.2 2.3 2.4 2.5 2.6 2.8 2.9 2.10"),
    *numbered("13.auth.", 7),
    "13.rfc9470",
]


def test_the_table_has_every_row_of_the_checklist_and_no_other():
    assert list(ROWS) == IDS


def test_every_mark_names_a_row():
    assert set(marked()) <= set(IDS)


def test_a_row_has_a_marked_test_or_the_reason_why_not():
    tests = marked()
    for row in ROWS.values():
        applies = not row["how"].startswith("does not apply: ")
        assert bool(tests[row["id"]]) is applies, row["id"]


def test_the_table_names_the_marked_tests():
    """Run `python -m tests.kit.rows` after a change of marks."""
    assert filled(TEXT) == TEXT
