"""The audit log: rows that never wait, a sealer that puts them in order, and the check of both.

For outsiders: checkpoints, an export, receipts. For operators: purge, signing again, mending.
"""

# What requests need is all that is imported here; the rest, of operators and outsiders, is loaded
# where it is used.
# ruff: noqa: F401
# mypy: implicit-reexport
from .heads import AuditBroken
from .rows import UID, about, count, helped, tail
from .sealer import Sealer
from .trail import Actor, AuditTrail, Operator, Who
