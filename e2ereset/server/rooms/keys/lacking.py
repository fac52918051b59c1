"""Finds the members of a room who have no key of it, for a member who can hand it out."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, bindparam, func, select

from e2ereset.records import Caller
from e2ereset.server.rooms.access import IS_MEMBER
from e2ereset.server.rooms.members import ROOM
from e2ereset.server.rooms.service import LISTED
from e2ereset.store.statements import Statement
from e2ereset.store.tables import table
from e2ereset.store.transactions import Transactions, run
from e2ereset.vault.models import KeyPair

from .refusals import InvalidRoom
from .statements import BY, MEMBERS, OTHERS, ROOMS, WAITING

PAIRS = table(KeyPair)
HAS_PAIR = and_(PAIRS.c.account_id == MEMBERS.c.user_id, PAIRS.c.public_key != "")
NO_KEY = MEMBERS.c.e2e_key.is_(None)

WITHOUT_KEY = Statement(
    select(MEMBERS.c.user_id, PAIRS.c.public_key)
    .join(PAIRS, HAS_PAIR)
    .where(MEMBERS.c.room_id == ROOM, NO_KEY)
    .order_by(MEMBERS.c.user_id)
)
# Who has waited longest comes first, then who does not wait yet.
PLACE = func.row_number().over(
    partition_by=MEMBERS.c.room_id,
    order_by=(WAITING.c.since.is_(None), WAITING.c.since, MEMBERS.c.user_id),
)
QUEUES = (
    select(MEMBERS.c.room_id, MEMBERS.c.user_id, PAIRS.c.public_key, PLACE.label("place"))
    .select_from(MEMBERS)
    .join(ROOMS, and_(ROOMS.c.id == MEMBERS.c.room_id, ROOMS.c.encrypted))
    .join(OTHERS, and_(OTHERS.c.room_id == MEMBERS.c.room_id, OTHERS.c.user_id == BY))
    .join(PAIRS, HAS_PAIR)
    .outerjoin(
        WAITING,
        and_(
            WAITING.c.room_id == MEMBERS.c.room_id,
            WAITING.c.user_id == MEMBERS.c.user_id,
        ),
    )
    .where(
        MEMBERS.c.room_id.in_(bindparam("rooms", expanding=True)),
        MEMBERS.c.user_id != BY,
        NO_KEY,
        MEMBERS.c.suggested_key.is_(None),
    )
    .subquery()
)
FIRST_OF_QUEUES = (
    select(QUEUES).where(QUEUES.c.place <= LISTED).order_by(QUEUES.c.room_id, QUEUES.c.place)
)


@dataclass(frozen=True, slots=True)
class Lacking:
    """Lists people without a room key, each with a public key to wrap it with."""

    transactions: Transactions

    def of_room(self, caller: Caller, room_id: str) -> list[dict[str, Any]]:
        """All such members of the room. Raises InvalidRoom for a caller who is none of them."""
        with self.transactions.read() as session:
            if not IS_MEMBER(session, {"key": room_id, "user": caller.account.id}):
                raise InvalidRoom(method="e2e.getUsersOfRoomWithoutKey")
            rows = WITHOUT_KEY(session, {"room": room_id})
        return [{"_id": row.user_id, "e2e": {"public_key": row.public_key}} for row in rows]

    def of_rooms(self, caller: Caller, room_ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        """By room, the first of those to whom nothing is suggested yet, without the caller.

        Rooms that are not encrypted, or not the caller's, or have nobody to list, are left out.
        """
        lists: dict[str, list[dict[str, Any]]] = defaultdict(list)
        with self.transactions.read() as session:
            asked = {"rooms": list(room_ids), "by": caller.account.id}
            for row in run(session, FIRST_OF_QUEUES, asked):
                lists[row.room_id].append({"_id": row.user_id, "public_key": row.public_key})
        return dict(lists)
