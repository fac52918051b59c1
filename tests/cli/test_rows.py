"""Reading files of rows: JSON lines, arrays of any size and layout, the bar."""

import io
import json
import sys

import pytest

from e2ereset.cli.rows import CHUNK, BadFile, read_json, rows_of

ROWS = [{"_id": "a", "n": 1}, {"_id": "b", "text": "é ] , [ {"}, {"_id": "c"}]
LINES = "\n".join(map(json.dumps, ROWS))


def read(text):
    return list(read_json(io.StringIO(text)))


@pytest.mark.parametrize(
    "text",
    [
        LINES,
        LINES.replace("\n", "\r\n") + "\n",
        json.dumps(ROWS),
        json.dumps(ROWS, indent=2),
        "[" + ",\n".join(map(json.dumps, ROWS)) + "]\n",
    ],
    ids=["lines", "crlf", "array", "pretty", "mongoexport"],
)
def test_lines_and_arrays_have_the_same_rows(text):
    assert read(text) == [(1, ROWS[0]), (2, ROWS[1]), (3, ROWS[2])]


def test_numbers_are_those_of_the_lines():
    assert [number for number, _ in read("\n\n{}\n\n{}")] == [3, 5]


@pytest.mark.parametrize("text", ["", "\n ", "[]", "[ ]\n"])
def test_an_empty_file_has_no_rows(text):
    assert read(text) == []


def test_rows_longer_than_a_chunk_are_read_whole():
    rows = [{"long": "x" * CHUNK * 3}, {"next": 1}] * 2
    assert [row for _, row in read(json.dumps(rows))] == rows


def test_a_malformed_line_is_one_row_that_cannot_be_read():
    assert read("{\n" + LINES)[:2] == [(1, None), (2, ROWS[0])]


@pytest.mark.parametrize("end", ["", ",", ', {"_id": ', ", nonsense]", "," + "[" * 200_000])
def test_an_array_that_is_cut_off_says_after_which_row(end):
    rows = read_json(io.StringIO(json.dumps(ROWS)[:-1] + end))
    assert [next(rows) for _ in ROWS] == list(enumerate(ROWS, 1))
    with pytest.raises(BadFile, match=r"after row 3\.|Row 4"):
        next(rows)


@pytest.mark.parametrize("text", ["# A page", "\n id,secret\n", "7"])
def test_a_file_that_is_no_json_is_one_fault(text):
    with pytest.raises(BadFile, match="no JSON"):
        read(text)


class Terminal(io.StringIO):
    """A terminal that remembers what it showed."""

    def isatty(self):
        return True


@pytest.mark.parametrize("terminal", [True, False])
def test_a_bar_is_shown_at_a_terminal_only(tmp_path, monkeypatch, terminal):
    (tmp_path / "rows.json").write_text("\ufeff" + LINES, encoding="utf-8")
    monkeypatch.setattr(sys, "stderr", Terminal() if terminal else io.StringIO())
    assert [row for _, row in rows_of(tmp_path / "rows.json", read_json, "users")] == ROWS
    shown = sys.stderr.getvalue()
    assert ("users" in shown and "100%" in shown) if terminal else shown == ""
