"""Checkpoints: what outsiders hold of the log, and how a log that was swapped is found by them."""

import base64
import json
import logging
import os
import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import delete, select

from e2ereset.audit import AuditBroken, Sealer
from e2ereset.audit.checkpoints import CheckpointFile
from e2ereset.audit.models import AuditHead, AuditPurge, AuditRow, AuditSealer
from e2ereset.audit.notes import NoteError, PublicKey, open_checkpoint, public_keys
from e2ereset.crypto import KeyRing
from e2ereset.store.tables import table
from tests.kit.audit import KEY, NEW_KEY, NOW, ORIGIN, Log

pytestmark = pytest.mark.long

TABLES = [table(model) for model in (AuditRow, AuditHead, AuditPurge, AuditSealer)]
# Of Go's golang.org/x/mod/sumdb/note, whose package documentation signs this text.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZ"
    "b6KE6RyyBwJnAM=\n"
)


def vkey(*secret_keys):
    return str(public_keys(KeyRing(secret_keys), ORIGIN)[0])


def dump(log):
    """A copy of the whole database, as far as it is about the audit log."""
    with log.transactions.read() as session:
        return [[dict(row._mapping) for row in session.execute(select(t))] for t in TABLES]


def put_back(log, copy):
    with log.transactions.begin() as session:
        for rows, made in zip(copy, TABLES, strict=True):
            session.execute(delete(made))
            for row in rows:
                session.execute(made.insert(), row)


# The format


def test_an_outsider_verifies_the_three_lines_by_the_public_key_alone(sealed):
    name, key_id, key = vkey(KEY).split("+", 2)
    raw = base64.b64decode(key)
    assert (name, raw[0], len(raw)) == (ORIGIN, 1, 33)
    assert key_id == sha256(f"{name}\n".encode() + raw).hexdigest()[:8]
    text, signature = sealed.checkpoint().split("\n\n")
    _, root = sealed.all(AuditHead.size, AuditHead.root)[-1]
    assert text == f"{ORIGIN}\n6\n{base64.b64encode(bytes.fromhex(root)).decode()}"
    dash, origin, encoded = signature.removesuffix("\n").split(" ")
    data = base64.b64decode(encoded)
    assert (dash, origin, data[:4].hex()) == ("\u2014", ORIGIN, key_id)
    Ed25519PublicKey.from_public_bytes(raw[1:]).verify(data[4:], f"{text}\n".encode())


def test_we_read_keys_and_signatures_as_go_does():
    key = PublicKey.parse(GO_KEY)
    with pytest.raises(NoteError, match="no checkpoint"):  # behind the check of the signature
        open_checkpoint(GO_NOTE, [key])
    with pytest.raises(NoteError, match="does not verify"):
        open_checkpoint(GO_NOTE.replace("think", "hope"), [key])


def test_an_empty_log_has_a_checkpoint_too_which_holds_when_it_has_grown(log):
    note = log.checkpoint()
    assert note.split("\n")[1:3] == ["0", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="]
    log.grow("abc")
    assert log.held_against(note) == ""


@pytest.mark.parametrize("text", ["", "x", "a+b+c", GO_KEY[:-2], GO_KEY.replace("c7", "c8")])
def test_what_is_no_public_key_is_refused(text):
    with pytest.raises(NoteError, match="public-key"):
        PublicKey.parse(text)


def test_no_checkpoint_is_signed_of_an_end_that_was_changed(sealed):
    sealed.tamper("DELETE FROM sealer")
    with pytest.raises(AuditBroken):
        sealed.checkpoint()


# Held against the log


@pytest.mark.parametrize(
    ("is_wiped", "words"), [(False, []), (False, ["hi"]), (True, []), (True, ["abc", "defg"])]
)
def test_a_log_put_back_or_made_anew_is_found_by_the_checkpoint_alone(sealed, is_wiped, words):
    older = [[]] * len(TABLES) if is_wiped else dump(sealed)
    sealed.grow("g")
    note = sealed.checkpoint()
    put_back(sealed, older)
    sealed.grow(*words)
    assert sealed.found() == ""
    assert sealed.held_against(note) == "checkpoint-mismatch 7"


@pytest.mark.parametrize("position", [0, 5])
@pytest.mark.parametrize("harm", ["UPDATE rows SET caller = 'bob'", "DELETE FROM rows"])
def test_a_row_changed_or_removed_is_found_without_the_heads(sealed, harm, position):
    note = sealed.checkpoint()
    sealed.tamper(f"{harm} WHERE position = {position}")
    assert sealed.held_against(note) == "checkpoint-mismatch 6"


# Forged checkpoints


def test_a_checkpoint_with_another_character_does_not_count(sealed):
    note = sealed.checkpoint()
    for place, was in enumerate(note):
        for other in {"\n", "A", chr(ord(was) + 1)} - {was}:
            forged = note[:place] + other + note[place + 1 :]
            assert sealed.held_against(forged).startswith("checkpoint-forged 1")


def test_a_checkpoint_by_another_key_does_not_count(sealed):
    note, other = sealed.checkpoint(), "a key that somebody made up"
    assert sealed.under(other).held_against(note) == "checkpoint-forged 1"
    assert sealed.held_against(note, vkey(other)) == "checkpoint-forged 1"


@pytest.mark.parametrize("text", ["", "\n\n", "log.example\n6\n", "\u2014 log.example AAAA\n"])
def test_a_file_without_a_whole_checkpoint_is_a_flaw(sealed, text):
    assert re.fullmatch(r"checkpoint-forged \d", sealed.held_against(text))


def test_a_checkpoint_of_a_retired_key_counts_by_its_public_key(sealed):
    note = sealed.checkpoint()
    rotated = sealed.under(NEW_KEY)
    assert rotated.held_against(note) == "checkpoint-forged 1"
    assert rotated.held_against(note, vkey(KEY), vkey(NEW_KEY)) == ""


# The file that is kept while the log runs


@dataclass
class Running:
    """A log whose sealer keeps a file of checkpoints."""

    log: Log
    path: Path
    now: int = NOW

    def file(self):
        """As another process has it: nothing is remembered from one to the next."""
        log = self.log
        return CheckpointFile(
            str(self.path), log.transactions, log.keyring, origin=ORIGIN, clock=lambda: self.now
        )

    def seal(self, *actions, at=0):
        """Write and seal, so many seconds after the start."""
        log, self.now = self.log, NOW + at
        log.write(*actions)
        publish = self.file().publish
        return Sealer(log.transactions, log.keyring, clock=lambda: self.now, publish=publish).seal()

    def text(self):
        return self.path.read_text(encoding="utf-8") if self.path.exists() else ""

    def sizes(self):
        """The sizes in the file, whose checkpoints all hold."""
        assert not self.text() or self.log.held_against(self.text()) == ""
        return [int(size) for size in re.findall(r"^(\d+)$", self.text(), re.MULTILINE)]


@pytest.fixture
def running(log, tmp_path):
    return Running(log, tmp_path / "checkpoints")


@pytest.mark.parametrize(
    ("seconds", "sizes"),
    [
        ({0: "a", 30: "b", 59: "c", 60: "d", 300: "e"}, [1, 4, 5]),
        ({0: "a", 5: "b", 61: ""}, [1, 2]),
        ({0: "a", 100: "b", 1000: ""}, [1, 2]),
        ({0: "a", -500: "b"}, [1, 2]),
        ({0: ""}, []),
    ],
    ids=["each minute", "no row follows", "nothing new", "the clock steps back", "empty log"],
)
def test_a_new_head_is_published_once_a_minute_at_most(running, seconds, sizes):
    for at, actions in seconds.items():
        running.seal(*actions, at=at)
    assert running.sizes() == sizes


def test_a_published_checkpoint_is_logged_whole(running, caplog):
    with caplog.at_level(logging.INFO, "e2ereset.audit.checkpoints"):
        running.seal("a")
    (record,) = caplog.records
    assert json.loads(record.getMessage().partition(": ")[2]) == running.log.checkpoint()


def test_a_file_that_cannot_be_written_stops_no_sealing(running, caplog):
    running.path = running.path / "of a folder that is not there"
    assert running.seal("a") == 1
    assert "E2ERESET_AUDIT_CHECKPOINTS" in caplog.text
    file = running.file()
    for running.now in range(NOW, NOW + 120, 10):
        file.publish()
    assert len(caplog.records) == 1 + 2  # once a minute


def test_a_log_that_was_put_back_publishes_nothing_and_says_so(running, caplog):
    older = dump(running.log)
    running.seal("a", "b")
    put_back(running.log, older)
    assert running.seal("c", at=100) == 1
    assert "The log has 1 rows" in caplog.text
    assert "older copy put back" in caplog.text
    assert running.text().count("\u2014") == 1


def test_a_note_cut_off_by_a_full_disk_hides_and_spoils_no_other(running):
    running.seal("a")
    with running.path.open("a", encoding="utf-8") as file:
        file.write("\n\n" + running.text()[:30])
    os.utime(running.path, (NOW, NOW))
    running.seal("b", at=100)
    assert running.log.held_against(running.text()) == "checkpoint-forged 2"
