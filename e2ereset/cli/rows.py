"""Files of rows, as other servers export them: JSON lines, a JSON array, or CSV."""

import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

import click
from marshmallow import ValidationError

from e2ereset.errors import E2EResetError, Refusal

CHUNK = 1 << 16  # characters
Numbered = Iterator[tuple[int, Any]]
"""Rows with their numbers, from 1: of the line, or of the place in an array. A row that cannot be
read is None."""


class BadFile(E2EResetError):
    """The file is none that we can read rows from; the text says why."""


class BadRow(E2EResetError):
    """The row cannot be stored; the text says why."""


def words_of(fault: Exception) -> str:
    """Why a row cannot be stored, without its values, which may be secret."""
    if isinstance(fault, ValidationError):
        return "; ".join(_flat("", fault.messages))
    return fault.words if isinstance(fault, Refusal) else str(fault)


def fields_of(row: Any) -> Mapping[str, Any]:
    """The row, if it has fields by name. Raises BadRow."""
    if not isinstance(row, Mapping):
        raise BadRow("It is no row that can be read.")
    return row


def rows_of(path: Path, read: Callable[[TextIO], Numbered], label: str) -> Numbered:
    """The rows of a file; at a terminal a bar on standard error shows how much of it is read."""
    size = path.stat().st_size
    with path.open("rb") as data, io.TextIOWrapper(data, "utf-8-sig", "replace") as text:
        if not sys.stderr.isatty():
            yield from read(text)
            return
        with click.progressbar(length=size, label=label, file=sys.stderr) as bar:
            for row in read(text):
                yield row
                bar.update(data.tell() - bar.pos)
            bar.update(size - bar.pos)


def read_json(text: TextIO) -> Numbered:
    """The rows of JSON lines or of one JSON array, whichever the file has.

    Raises BadFile where an array is malformed or cut off, when the rows before that have been read,
    and for a file that is no JSON from its beginning on.
    """
    blank = 0
    while (head := text.read(1)).isspace():
        blank += head == "\n"
    if head == "[":
        return _read_array(text)
    if head not in "{":  # which the end of an empty file is in
        raise BadFile("The file is no JSON: it begins neither with [ nor with {.")
    return read_json_lines(chain([head + text.readline()], text), after=blank)


def read_json_lines(lines: Iterable[str], *, after: int = 0) -> Numbered:
    """The rows of a file with one JSON object a line, of which `after` lines were read before."""
    for number, line in enumerate(lines, after + 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError):
                yield number, None


def read_csv(lines: Iterable[str], *, check: Callable[[list[str]], object]) -> Numbered:
    """The rows of a CSV file with a heading, without their empty cells.

    `check` gets the names of the heading, and raises where they will not do. Raises BadFile where
    one is there twice, or none.
    """
    reader = csv.reader(lines)
    names = next(_readable(reader), None) or []
    check(names)
    if not names or len(set(names)) < len(names):
        raise BadFile("The first line must name columns, each once.")
    for texts in _readable(reader):
        if texts is None or len(texts) not in (0, len(names)):
            yield reader.line_num, None
        elif texts:
            yield reader.line_num, {n: t for n, t in zip(names, texts, strict=True) if t}


def _flat(path: str, faults: Any) -> list[str]:
    """The faults of a document, each with its path, such as `services.totp.hashedBackup.0`."""
    if isinstance(faults, Mapping):
        inner = [(f"{path}.{name}" if path else str(name), one) for name, one in faults.items()]
        return [words for place, one in inner for words in _flat(place, one)]
    return [f"{path}: {' '.join(map(str, faults))}"]


def _readable(reader: Iterator[list[str]]) -> Iterator[list[str] | None]:
    """The rows of a CSV file; None for one that is too long to be read."""
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield None


def _read_array(text: TextIO) -> Numbered:
    """The rows of a JSON array, whose bracket has been read, without holding all of it."""
    decode, read, at, number, size = json.JSONDecoder().raw_decode, "", 0, 0, CHUNK
    while True:
        while at < len(read) and (read[at].isspace() or read[at] == ","):
            at += 1
        if read[at : at + 1] == "]":
            return
        try:
            row, at = decode(read, at)
        except RecursionError:
            raise BadFile(f"Row {number + 1} of the array is nested too deep.") from None
        except ValueError:
            more = text.read(size)
            if not more:
                raise BadFile(f"The array is malformed or cut off after row {number}.") from None
            # Twice as much each time: a long row is not tried again for each of its chunks.
            read, at, size = read[at:] + more, 0, size * 2
            continue
        number, size = number + 1, CHUNK
        yield number, row
