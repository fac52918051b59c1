"""The audit log: rows that never wait, a sealer that puts them in order, and the check of both.

For outsiders: checkpoints, an export, receipts. For operators: purge, signing again, mending.
"""

# What other rooms use is all that is imported here.
# ruff: noqa: F401
# mypy: implicit-reexport
from .checkpoints import CheckpointFile, append_note
from .heads import AuditBroken
from .maintenance import count_old, mend, purge, sign_again
from .notes import PublicKey, public_keys
from .outsiders import NoReceipt, export, make_checkpoint, receipt
from .rows import about, count, helped, tail
from .sealer import Sealer
from .trail import Actor, AuditTrail, Operator, Who
from .verify import Flaw, verify, verify_checkpoints
