"""What outsiders get, checked without any code of ours: the export, and receipts."""

import base64
import json
import runpy
import subprocess
import sys
from functools import partial
from hashlib import sha256
from itertools import islice

import pytest
from cryptography.exceptions import InvalidSignature

from e2ereset.audit.notes import public_keys
from e2ereset.audit.outsiders import NoReceipt, export, receipt
from e2ereset.crypto import KeyRing
from tests.kit.audit import KEY, NOW, ORIGIN
from tests.kit.paths import ROOT

pytestmark = pytest.mark.long

SCRIPT = ROOT / "examples" / "check_receipt.py"
check = runpy.run_path(str(SCRIPT))["check"]
PUBLIC_KEY = str(public_keys(KeyRing([KEY]), ORIGIN)[0])
FIELDS = ("uid", "at", "action", "caller", "target", "method", "address", "agent", "outcome")


def exported(log, **options):
    with log.transactions.read() as session:
        return list(export(session, log.keyring, ORIGIN, **options))


def receipt_of(log, place):
    with log.transactions.read() as session:
        return receipt(session, log.keyring, ORIGIN, place)


def leaf(row):
    entry = [row[name] for name in (*FIELDS, "digest")]
    data = json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode()
    return sha256(b"\0" + data).digest()


def joined(nodes):
    """The two last nodes made one."""
    *before, left, right = nodes
    return [*before, sha256(b"\1" + left + right).digest()]


def assert_root_is_found(lines):
    """The root of the checkpoint's tree follows from where the export starts and its rows."""
    first, *rows, last = lines
    nodes = [bytes.fromhex(node) for node in first["frontier"]]
    for size, row in enumerate(rows, first["start"]):
        assert row["position"] == size
        nodes.append(leaf(row))
        while size & 1:
            nodes, size = joined(nodes), size >> 1
    while len(nodes) > 1:
        nodes = joined(nodes)
    assert nodes[0] == base64.b64decode(last["checkpoint"].split("\n")[2])


# The export


def test_a_row_is_exported_with_all_that_is_signed(log):
    log.write("reset", target="bob", method="totp", address="10.0.0.1", agent='"\u00fc\\')
    log.seal()
    _, row, _ = lines = exported(log)
    assert_root_is_found(lines)
    assert set(row) == {"position", *FIELDS, "digest"}
    assert (row["at"], row["target"], row["agent"]) == (NOW, "bob", '"\u00fc\\')


def test_an_empty_log_is_exported(log):
    assert exported(log) == [{"start": 0, "frontier": []}, {"checkpoint": log.checkpoint()}]


@pytest.mark.parametrize(
    ("since", "start"),
    [(None, 0), (0, 0), (99, 3), (100, 3), (101, 6), (250, 8), (999, 8)],
)
def test_an_export_leads_to_the_root_of_the_checkpoint(log, since, start):
    log.grow("abc", "def", "gh")
    lines = exported(log, since=since and NOW + since)
    assert lines[-1] == {"checkpoint": log.checkpoint()}
    assert (lines[0]["start"], len(lines)) == (start, 2 + 8 - start)
    assert_root_is_found(lines)


@pytest.mark.parametrize(("since", "start"), [(None, 3), (NOW + 60, 4)])
def test_an_export_after_a_purge_starts_in_the_middle_of_a_batch_too(log, since, start):
    log.grow("abc")
    log.write("d", at=NOW + 50)
    log.write("e", at=NOW + 60)
    log.seal()
    log.purge(NOW + 50)
    lines = exported(log, since=since)
    assert lines[0]["start"] == start
    assert_root_is_found(lines)


def test_pages_of_an_export_leave_out_no_row(log):
    log.write(*(str(n) for n in range(2001)))
    log.seal()
    assert [row["position"] for row in exported(log)[1:-1]] == list(range(2001))


# Receipts


@pytest.mark.parametrize("batches", [[1], [1, 1], [2, 5], [3, 1, 8], [7, 13, 1], [16, 16, 5]])
def test_every_row_of_any_tree_has_a_receipt_that_holds(log, batches):
    actions = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJK"[: sum(batches)]
    rest = iter(actions)
    log.grow(*("".join(islice(rest, count)) for count in batches))
    for position, action in enumerate(actions):
        made = receipt_of(log, position)
        check(made, PUBLIC_KEY)
        assert (made["position"], made["entry"]["action"]) == (position, action)
        assert made["publicKey"] == PUBLIC_KEY


def test_a_forged_head_before_a_row_spoils_no_receipt(sealed):
    sealed.tamper("UPDATE heads SET frontier = '[]' WHERE size = 3")
    check(receipt_of(sealed, 4), PUBLIC_KEY)


def test_rows_that_a_purge_left_have_receipts(log):
    log.grow("abc", "def")
    log.purge(NOW + 50)
    check(receipt_of(log, 4), PUBLIC_KEY)
    with pytest.raises(NoReceipt, match="was purged"):
        receipt_of(log, 1)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("6", "No signed head"),
        ("x", "neither"),
        ("0" * 32, "no row"),
        ("-1", "neither"),
        (None, "not sealed yet"),
    ],
)
def test_what_is_not_there_or_waits_has_no_receipt(sealed, place, words):
    sealed.write("g")
    with pytest.raises(NoReceipt, match=words):
        receipt_of(sealed, place or sealed.uid(None))


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE rows SET caller = 'bob' WHERE position = 5",
        "DELETE FROM rows WHERE position = 3",
        "UPDATE heads SET root = 'ff' WHERE size = 6",
    ],
)
def test_a_changed_log_gives_no_receipt(sealed, harm):
    sealed.tamper(harm)
    with pytest.raises(NoReceipt):
        receipt_of(sealed, 4)


# The script


@pytest.fixture
def script(tmp_path):
    """Runs the script on a receipt: its exit status and what it said."""

    def run(made, key=PUBLIC_KEY):
        path = tmp_path / "receipt.json"
        path.write_text(json.dumps(made), encoding="utf-8")
        command = [sys.executable, "-I", SCRIPT, path, key]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        return done.returncode, done.stdout + done.stderr

    return run


def test_the_script_tells_who_did_what_and_when(log, script):
    log.write("reset", target="bob")
    log.grow("abcdef")
    assert script(receipt_of(log, 0)) == (
        0,
        "2023-11-14T22:13:20+00:00: alice, reset of bob: done\n",
    )


def test_the_script_knows_no_code_of_ours():
    assert "e2ereset" not in SCRIPT.read_text(encoding="utf-8")


def test_the_script_refuses_another_key(sealed, script):
    other = str(public_keys(KeyRing(["a key that somebody made up"]), ORIGIN)[0])
    status, said = script(receipt_of(sealed, 4), other)
    assert (status, said) == (1, "No: the checkpoint is signed by another key.\n")


@pytest.mark.parametrize("made", [[], {}, "x", None, {"checkpoint": 5}])
def test_the_script_refuses_what_is_no_receipt(script, made):
    status, said = script(made)
    assert status == 1
    assert said.startswith("No: ")


def lose_digit(made, line):
    """Change the last character of a line of the checkpoint."""
    lines = made["checkpoint"].split("\n")
    lines[line] = lines[line][:-1] + "5"
    made["checkpoint"] = "\n".join(lines)


CHANGES = [
    lambda made: made["entry"].update(more="x"),
    lambda made: made.update(position=3),
    lambda made: made.update(position=99),
    lambda made: made.update(size=7),
    lambda made: made.update(publicKey="x+00+AA=="),
    lambda made: made["proof"].pop(0),
    lambda made: made["proof"].append("00" * 32),
    lambda made: made["proof"].insert(0, "00" * 32),
    *(partial(lose_digit, line=line) for line in (0, 1, 2, 4)),
    *(lambda made, name=name: made["entry"].update({name: 5}) for name in (*FIELDS, "digest")),
    *(lambda made, name=name: made["entry"].pop(name) for name in (*FIELDS, "digest")),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_receipt_is_refused(sealed, change):
    made = receipt_of(sealed, 4)
    change(made)
    with pytest.raises((ValueError, KeyError, InvalidSignature)):
        check(made, PUBLIC_KEY)


@pytest.mark.parametrize("reason", ["another one", ""])
def test_a_row_with_a_reason_has_it_behind_its_digest(log, reason):
    log.write("a", "b", reason="a lost laptop")
    log.seal()
    made = receipt_of(log, 1)
    assert list(made["entry"].items())[-1] == ("reason", "a lost laptop")
    check(made, PUBLIC_KEY)
    made["entry"]["reason"] = reason
    with pytest.raises((ValueError, KeyError)):
        check(made, PUBLIC_KEY)
