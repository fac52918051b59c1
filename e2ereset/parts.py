"""The parts that every service of one app uses. They are made first, and are frozen."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from .audit import AuditTrail, Operator
from .crypto import KeyRing
from .jobs import Queue
from .languages import Languages
from .metrics.meter import UNCOUNTED, Meter
from .ports import Accounts
from .records import Account, Attempt, Caller, Receipt
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
    languages: Languages = field(default_factory=partial(Languages, ["en"]))
    meter: Meter = UNCOUNTED
    announcer: Announcer = field(default_factory=Announcer)

    def mail_owner(
        self,
        session: Session,
        kind: str,
        account: Account,
        *,
        now: int,
        place: Attempt | Caller | Receipt | None = None,
        expires_at: int | None = None,
        **facts: Any,
    ) -> None:
        """Queue a mail of this kind to each verified address of the account.

        The mail names the address and the program of `place`. After `expires_at` (epoch seconds) it
        is not delivered any more; None: it never expires.
        """
        facts |= {"account": account.id, "username": account.username, "at": now}
        facts |= {"has_password": account.has_password}
        if place is not None:
            facts |= {"address": place.address, "agent": place.agent}
        if expires_at is not None:
            facts |= {"expires_at": expires_at}
        self.jobs.put(
            session, kind, facts, recipients=account.emails, now=now, expires_at=expires_at
        )

    def mail_change(
        self, session: Session, account: Account, change: str, *, now: int, by: Caller | Operator
    ) -> None:
        """Queue a mail to the account's owner about what somebody has changed."""
        facts: dict[str, Any] = {"change": change, "own": False, "reason": ""}
        if isinstance(by, Operator):
            facts |= {"by": by.words, "reason": by.reason}
        else:
            own = by.account.id == account.id
            facts |= {"by": by.account.username, "own": own, "place": by}
        self.mail_owner(session, "account-changed", account, now=now, **facts)
