"""Checks a receipt of an audit log. It shares no code with the program that keeps the log.

    python check_receipt.py RECEIPT.json PUBLIC_KEY

Prints when who did what to whom; or why the receipt does not hold, with exit status 1.
"""

import json
import sys
from base64 import b64decode
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FIELDS = ["uid", "at", "action", "caller", "target", "method", "address", "agent", "outcome"]


def root_of(node, position, size, proof):
    """The root that the inclusion proof leads to from a leaf (RFC 9162, section 2.1.3.2)."""
    last = size - 1
    for sibling in map(bytes.fromhex, proof):
        if position & 1 or position == last:
            node = sha256(b"\1" + sibling + node).digest()
            while position and not position & 1:
                position, last = position >> 1, last >> 1
        else:
            node = sha256(b"\1" + node + sibling).digest()
        position, last = position >> 1, last >> 1
    return node if last == 0 else None


def check(receipt, public_key):
    """Raises an exception where the receipt does not hold."""
    name, key_id, key = public_key.split("+", 2)
    text, signed = receipt["checkpoint"].split("\n\n")
    dash, signer, data = signed.split()
    if (dash, signer, b64decode(data)[:4].hex()) != ("\u2014", name, key_id):
        raise ValueError("the checkpoint is signed by another key")
    public = Ed25519PublicKey.from_public_bytes(b64decode(key)[1:])
    public.verify(b64decode(data)[4:], f"{text}\n".encode())
    origin, size, root = text.split("\n")
    if (origin, size, public_key) != (name, str(receipt["size"]), receipt["publicKey"]):
        raise ValueError("the checkpoint is of another log, or of another tree")
    entry, position = receipt["entry"], receipt["position"]
    behind = ["digest", "reason"] if entry.get("reason") else ["digest"]
    if len(entry) != len(FIELDS) + len(behind) or not 0 <= position < int(size):
        raise ValueError("the entry or its position is none of such a log")
    fields = [entry[field] for field in [*FIELDS, *behind]]
    data = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
    leaf = sha256(b"\0" + data).digest()
    if root_of(leaf, position, int(size), receipt["proof"]) != b64decode(root):
        raise ValueError("the entry is not at this position of the log")


if __name__ == "__main__":
    try:
        receipt = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
        check(receipt, sys.argv[2])
    except (ValueError, KeyError, TypeError, AttributeError, InvalidSignature) as why:
        sys.exit(f"No: {str(why) or 'a signature does not verify'}.")
    when = datetime.fromtimestamp(receipt["entry"]["at"], UTC).isoformat()
    print("{}: {caller}, {action} of {target}: {outcome}".format(when, **receipt["entry"]))
