"""The audit log: rows that never wait, a sealer that puts them in order, and the check of both.

For outsiders: checkpoints, an export, receipts. For operators: rotation, purge, mending.
"""

from .checkpoints import CheckpointFile, append_note, make_checkpoint, verify_checkpoints
from .export import export
from .findings import Finding
from .heads import AuditBroken
from .mend import mend
from .notes import PublicKey, public_keys
from .purges import purge
from .receipts import receipt
from .rotation import count_old, resign
from .rows import count, tail
from .sealer import Sealer
from .trail import Actor, AuditTrail, Operator, Who
from .verify import verify

__all__ = [
    "Actor",
    "AuditBroken",
    "AuditTrail",
    "CheckpointFile",
    "Finding",
    "Operator",
    "PublicKey",
    "Sealer",
    "Who",
    "append_note",
    "count",
    "count_old",
    "export",
    "make_checkpoint",
    "mend",
    "public_keys",
    "purge",
    "receipt",
    "resign",
    "tail",
    "verify",
    "verify_checkpoints",
]
