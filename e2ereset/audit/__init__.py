"""The audit log: rows that never wait, a sealer that puts them in order, and the check of both.

For outsiders: checkpoints, an export, receipts. For operators: purge, signing again, mending.
"""

from .checkpoints import CheckpointFile, append_note
from .heads import AuditBroken
from .maintenance import count_old, mend, purge, sign_again
from .notes import PublicKey, public_keys
from .outsiders import export, make_checkpoint, receipt
from .rows import count, tail
from .sealer import Sealer
from .trail import Actor, AuditTrail, Operator, Who
from .verify import Flaw, verify, verify_checkpoints

__all__ = [
    "Actor",
    "AuditBroken",
    "AuditTrail",
    "CheckpointFile",
    "Flaw",
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
    "sign_again",
    "tail",
    "verify",
    "verify_checkpoints",
]
