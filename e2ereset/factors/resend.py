"""Mails a code again for the action that waits for one, without showing which accounts exist.

If the request did the work, its answer would take longer for names that exist. So the request only
queues a job, the same for every name, and a worker does the work.
"""

from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """Mails fresh codes for pending actions."""

    parts: Parts
    challenges: Challenges

    def ask(
        self, email_or_username: str, now: int, *, address: str, agent: str, signed_in: str = ""
    ) -> None:
        """Queue a job that mails a fresh code; a worker does it by `answer`.

        `signed_in` is the id of the signed-in account that asks: then the code is for that account,
        and the name does not count. While one job for the name waits, no second one is queued.
        """
        name = "" if signed_in else email_or_username[:LONGEST_NAME]
        with self.parts.transactions.begin() as session:
            self.parts.jobs.put(
                session,
                ASKED,
                {"account": signed_in, "name": name, "address": address, "agent": agent},
                # Two kinds of names, so that a stranger's job does not block the owner's.
                once=f"account {signed_in}" if signed_in else f"name {name_key(name)}",
                now=now,
                expires_at=now + self.parts.settings.email_code_seconds,
                urgency=URGENT if signed_in else IDLE,  # strangers can ask without end
            )

    def answer(self, asked: Mapping[str, Any], _job: object, now: int) -> bool:
        """Mail a fresh code for the job that `ask` queued. True when a mail was queued.

        False, without any effect, when there is no such account, no pending action, or the sending
        budget is spent. An action is pending for twice the life of its last code, so that a fresh
        code can be asked for after the last one has expired.
        """
        with self.parts.transactions.look_up() as session:
            account = self._find(session, asked)
            action = self._pending(session, account, now) if account and account.active else None
            if account is None or action is None:
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
                by_owner = bool(asked.get("account"))
                return self.challenges.resend(attempt, "email", by_owner=by_owner)
            except TooManyAttempts:
                return False

    def _find(self, session: Session, asked: Mapping[str, Any]) -> Account | None:
        if asked.get("account"):
            return self.parts.accounts.get(session, asked["account"])
        name, found = asked["name"], None
        if "@" in name and isinstance(self.parts.accounts, FindsByEmail):
            found = self.parts.accounts.find_by_email(session, name)
        # A username may contain an @ too.
        return found or self.parts.accounts.find(session, name)

    def _pending(self, session: Session, account: Account, now: int) -> Action | None:
        since = now - 2 * self.parts.settings.email_code_seconds
        row = session.execute(NEWEST, {"account": account.id, "since": since}).first()
        return row and Action(name=row.action, target=row.target, phrase=row.phrase)
