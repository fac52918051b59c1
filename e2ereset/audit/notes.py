"""Signed notes and checkpoints, as transparency logs write them.

`c2sp.org/signed-note` and `c2sp.org/tlog-checkpoint`, with Ed25519 signatures: other people's
tools read them.
"""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Row

from e2ereset.crypto import KeyRing
from e2ereset.errors import E2EResetError

from .tree import EMPTY_ROOT

PURPOSE = "audit checkpoint"
ED25519 = b"\x01"
ID_BYTES = 4
DASH = "\u2014 "


class NoteError(E2EResetError):
    """A note, a checkpoint or a public key is not what it should be; the text says why."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The name of a log and its Ed25519 public key; `str()` is what the tools call a vkey."""

    name: str
    raw: bytes

    @property
    def id(self) -> bytes:
        """The four bytes by which a signature names its key."""
        return sha256(self.name.encode() + b"\n" + ED25519 + self.raw).digest()[:ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{_encode(ED25519 + self.raw)}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The key that the text stands for. Raises NoteError."""
        name, _, rest = text.strip().partition("+")
        data = _decode(rest.partition("+")[2])
        key = cls(name, data[1:])
        if data[:1] != ED25519 or len(key.raw) != 32 or str(key) != text.strip():
            raise NoteError(f"{text!r} is no public key. `e2ereset audit public-key` prints one.")
        return key


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says of itself: its name, its number of rows, the root of their tree."""

    origin: str
    size: int
    root: bytes

    def __str__(self) -> str:
        return f"{self.origin}\n{self.size}\n{_encode(self.root)}\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The checkpoint that a note's text stands for. Raises NoteError."""
        lines = text.split("\n")
        if len(lines) < 4 or not lines[1].isdecimal():
            raise NoteError("It is no checkpoint.")
        made = cls(lines[0], int(lines[1]), _decode(lines[2]))
        if str(made) != text:
            raise NoteError("It is no checkpoint as this log writes them.")
        return made


def public_keys(keyring: KeyRing, origin: str) -> list[PublicKey]:
    """The public key under each secret key, newest first, in the name of `origin`."""
    pairs = keyring.signing_keys(PURPOSE)
    return [PublicKey(origin, pair.public_key().public_bytes_raw()) for pair in pairs]


def sign_head(keyring: KeyRing, origin: str, head: Row[Any] | None) -> str:
    """The head, which must be signed, as a checkpoint; without one, the empty log's.

    It is a note, signed with the newest key.
    """
    size, root = (head.size, bytes.fromhex(head.root)) if head else (0, EMPTY_ROOT)
    checkpoint = Checkpoint(origin, size, root)
    newest, public = keyring.signing_keys(PURPOSE)[0], public_keys(keyring, origin)[0]
    signature = public.id + newest.sign(str(checkpoint).encode())
    return f"{checkpoint}\n{DASH}{origin} {_encode(signature)}\n"


def open_checkpoint(note: str, known: Iterable[PublicKey]) -> Checkpoint:
    """The checkpoint in a note that one of the known keys signed.

    Raises NoteError when none has, or one's signature does not verify.
    """
    text, _, signatures = note.rpartition("\n\n")
    text += "\n"
    by_name = {(key.name, key.id): key for key in known}
    signed = False
    for line in signatures.split("\n"):
        name, _, data = line.removeprefix(DASH).partition(" ")
        signature = _decode(data)
        if key := by_name.get((name, signature[:ID_BYTES])):
            try:
                signer = Ed25519PublicKey.from_public_bytes(key.raw)
                signer.verify(signature[ID_BYTES:], text.encode())
            except InvalidSignature:
                raise NoteError("Its signature does not verify.") from None
            signed = True
    if not signed:
        raise NoteError("No key that is known here has signed it.")
    return Checkpoint.parse(text)


def split_notes(text: str) -> list[str]:
    """The notes of a file to which they were appended, each signed or not."""
    notes: list[str] = []
    for block in filter(None, (part.strip("\n") for part in text.split("\n\n"))):
        if notes and block.startswith(DASH):
            notes[-1] += f"\n{block}\n"
        else:
            notes.append(f"{block}\n")
    return notes


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decode(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
    # The last character may hold bits that are not read: of several texts, one is the right one.
    return data if base64.b64encode(data).decode() == text else b""
