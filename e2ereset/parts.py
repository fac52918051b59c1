"""What every service of one app is made of: made first, frozen, and handed down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .audit import AuditTrail
from .crypto import KeyRing
from .jobs import Queue
from .metrics.meter import UNCOUNTED, Meter
from .ports import Accounts
from .settings import Settings
from .signals import Announcer
from .store.transactions import Transactions


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Parts:
    """`clock` gives epoch seconds; `entropy` is shaped like `secrets`."""

    settings: Settings
    clock: Callable[[], float]
    entropy: Any
    transactions: Transactions
    keyring: KeyRing
    accounts: Accounts
    jobs: Queue
    audit: AuditTrail
    meter: Meter = UNCOUNTED
    announcer: Announcer = field(default_factory=Announcer)
