"""Which encrypted rooms somebody can read again after a reset, and asking those who can help."""

from functools import partial
from typing import Any

from sqlalchemy import and_, bindparam, func, select
from sqlalchemy.orm import Session

from e2ereset import Caller
from e2ereset.records import ActionRequest
from e2ereset.rooms import RoomState
from e2ereset.server.people.accounts import get_account
from e2ereset.server.rooms.acts import Acts
from e2ereset.server.rooms.losses import HOLDERS, HOLDS, MINE, OTHERS, SEEN
from e2ereset.server.sessions.tokens import IS_LIVE_SIGN_IN, LAST_SEEN, TOKENS
from e2ereset.store.transactions import run

from .statements import ROOMS, WAITING

ASK, ASKED = "ask-for-room-keys", "room-key-asked"
MOST_HELPERS = 20
"""Who is asked at once; the rooms of most people have the same few members."""
DAILY = ((86400, 1),) * 3
"""One mail a day to each helper, whoever asks."""
ENCRYPTED = and_(MINE.c.room_id == ROOMS.c.id, ROOMS.c.encrypted)
IS_ME = MINE.c.user_id == bindparam("account")
STATES = (
    select(ROOMS.c.id, ROOMS.c.name, MINE.c.e2e_key.is_not(None).label("held"), HOLDERS, SEEN)
    .add_columns(WAITING.c.since, ROOMS.c.e2e_key_id.is_not(None).label("keyed"))
    .add_columns(MINE.c.suggested_key.is_not(None).label("offered"))
    .join(MINE, ENCRYPTED)
    .outerjoin(
        WAITING,
        and_(WAITING.c.room_id == MINE.c.room_id, WAITING.c.user_id == MINE.c.user_id),
    )
    .where(IS_ME)
    .order_by(ROOMS.c.name, ROOMS.c.id)
)
SEEN_HELPER = select(LAST_SEEN).where(TOKENS.c.user_id == OTHERS.c.user_id, IS_LIVE_SIGN_IN)
HELPERS = (
    select(OTHERS.c.user_id, func.count().label("rooms"))
    .select_from(OTHERS)
    .join(MINE, HOLDS)
    .join(ROOMS, ENCRYPTED)
    .where(IS_ME, MINE.c.e2e_key.is_(None), MINE.c.suggested_key.is_(None))
    .group_by(OTHERS.c.user_id)
    .order_by(SEEN_HELPER.scalar_subquery().desc(), OTHERS.c.user_id)
    .limit(MOST_HELPERS)
)
"""Who has keys that the account lacks, seen last first, each with the number of those rooms alone.
It needs `now`."""


def states(session: Session, account_id: str, now: int) -> tuple[RoomState, ...]:
    """The encrypted rooms of the account at `now` (epoch seconds), by name."""
    rows = run(session, STATES, {"account": account_id, "now": now})
    return tuple(RoomState(**{**row._mapping, "name": row.name or ""}) for row in rows)


class Readability:
    """The way back to readable rooms."""

    def __init__(self, acts: Acts) -> None:
        self._acts = acts
        self._runtime = acts.runtime

    def rooms(self, account_id: str) -> tuple[RoomState, ...]:
        """The encrypted rooms of the account, by name."""
        with self._runtime.transactions.look_up() as session:
            return states(session, account_id, int(self._runtime.clock()))

    def ask(self, asked: ActionRequest) -> int:
        """Mail those who have the keys that the caller lacks; how many were mailed.

        A helper gets one such mail a day at most, whoever asks. Raises NotSignedIn.
        """
        return self._acts.run(asked, partial(self._ask, now=asked.now))

    def _ask(self, session: Session, caller: Caller, *, now: int) -> int:
        runtime, mailed = self._runtime, 0
        helpers = run(session, HELPERS, {"account": caller.account.id, "now": now}).all()
        for one in sorted(helpers):  # by id: all lock their budgets in one order
            charge = runtime.budgets.charge_in
            if not charge(session, one.user_id, ASKED, windows=DAILY, now=now):
                continue
            if helper := get_account(session, one.user_id):
                facts: dict[str, Any] = {"by": caller.account.username, "rooms": one.rooms}
                runtime.mail_owner(session, ASKED, helper, now=now, place=caller, **facts)
                mailed += 1
        outcome = "asked" if mailed else "nobody-to-ask"
        target = caller.account.id
        runtime.audit.write(session, ASK, caller, at=now, target=target, outcome=outcome)
        return mailed
