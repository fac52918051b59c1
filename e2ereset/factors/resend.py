"""Mailing a code again for the action that waits for one, without telling who exists.

An answer that came after the work would take longer where there is work. So the request only
leaves a job, the same for every name, and a worker does it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from e2ereset.errors import TooManyAttempts
from e2ereset.jobs import IDLE, URGENT
from e2ereset.parts import Parts
from e2ereset.ports import FindsByEmail
from e2ereset.records import Account, Action, Attempt, name_key
from e2ereset.store.tables import table

from .challenges import Challenges
from .models import EmailChallenge

ASKED = "code-asked"  # a kind of job
LONGEST_NAME = 320  # characters; nobody has a longer name or address

CHALLENGES = table(EmailChallenge)
NEWEST = (
    select(CHALLENGES.c.action, CHALLENGES.c.target, CHALLENGES.c.phrase)
    .where(
        CHALLENGES.c.account_id == bindparam("account"),
        CHALLENGES.c.sent_at > bindparam("since"),
    )
    .order_by(CHALLENGES.c.sent_at.desc())
    .limit(1)
)


class Codes:
    """Mails a fresh code for a pending action."""

    def __init__(self, parts: Parts, challenges: Challenges) -> None:
        self._settings = parts.settings
        self._accounts = parts.accounts
        self._jobs = parts.jobs
        self._transactions = parts.transactions
        self._challenges = challenges

    def ask(
        self, email_or_username: str, now: int, *, address: str, agent: str, signed_in: str = ""
    ) -> None:
        """Note that a fresh code is asked for, to be looked at by `answer` after the answer.

        `signed_in` is the id of the account that asks, whose code it then is, whatever the name.
        Who asks again while that waits is answered likewise, and nothing is noted.
        """
        name = "" if signed_in else email_or_username[:LONGEST_NAME]
        asked = {"account": signed_in, "name": name, "address": address, "agent": agent}
        expires_at = now + self._settings.email_code_seconds
        with self._transactions.begin() as session:
            # A stranger's request that waits must not stand in the way of the owner's.
            once = f"account {signed_in}" if signed_in else f"name {name_key(name)}"
            self._jobs.put(
                session,
                ASKED,
                asked,
                once=once,
                now=now,
                expires_at=expires_at,
                urgency=URGENT if signed_in else IDLE,  # of which anybody makes any number
            )

    def answer(self, asked: Mapping[str, Any], _job: object, now: int) -> bool:
        """Mail a fresh code for the pending action of whom `ask` noted. True when one was queued.

        False without any effect when there is no such account, no pending action, or no sending
        budget left. An action is pending while its last code could have lived twice: an expired
        code can still be asked for again.
        """
        by_owner = bool(asked.get("account"))
        with self._transactions.read() as session:
            account = self._find(session, asked)
            if account is None or not account.active or not self._challenges.has("email"):
                return False
            action = self._pending(session, account, now)
            if action is None:
                return False
            attempt = Attempt(
                account=account,
                action=action,
                now=now,
                session=session,
                address=asked["address"],
                agent=asked["agent"],
            )
            try:
                return self._challenges.resend(attempt, "email", by_owner=by_owner)
            except TooManyAttempts:
                return False

    def _find(self, session: Session, asked: Mapping[str, Any]) -> Account | None:
        if asked.get("account"):
            return self._accounts.get(session, asked["account"])
        name, found = asked["name"], None
        if "@" in name and isinstance(self._accounts, FindsByEmail):
            found = self._accounts.find_by_email(session, name)
        # A username may hold an @ too.
        return found or self._accounts.find(session, name)

    def _pending(self, session: Session, account: Account, now: int) -> Action | None:
        since = now - 2 * self._settings.email_code_seconds
        row = session.execute(NEWEST, {"account": account.id, "since": since}).first()
        return row and Action(name=row.action, target=row.target, phrase=row.phrase)
