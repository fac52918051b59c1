"""Restarts a room with a new key. What was written before stays readable for who holds old keys."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import BigInteger, String, Text, bindparam, or_, select, update

from e2ereset.records import ActionRequest, iso
from e2ereset.server.rooms.access import RoomAct, act
from e2ereset.server.rooms.acts import Acts
from e2ereset.server.rooms.members import ROOM, USER
from e2ereset.server.rooms.service import IN_ROOM, NOW, waiting
from e2ereset.store.statements import Statement
from e2ereset.store.tables import table
from e2ereset.store.transactions import run
from e2ereset.vault.models import KeyPair

from .refusals import MayNotRestart, NotInRoom, RestartFailed, RestartInProgress
from .service import OLD_KEYS
from .statements import (
    KEEP,
    MEMBERS,
    NO_SUGGESTION,
    ROOMS,
    STOP_WAITING,
    THIS,
    TOUCHED,
)

PERMISSION = "toggle-room-e2e-encryption"
ACTION = "reset-room-key"
LEASE_SECONDS = 10
"""A restart that takes longer, as its worker was killed, may be overtaken by another one."""
LEASE_BYTES = 16

PAIRS = table(KeyPair)
LEASE: Any = bindparam("lease", type_=String)
HELD = (ROOMS.c.id == ROOM, ROOMS.c.key_lease == LEASE)

TAKE = Statement(
    update(ROOMS)
    .where(ROOMS.c.id == ROOM, or_(ROOMS.c.key_lease.is_(None), ROOMS.c.key_lease_until <= NOW))
    .values(key_lease=LEASE, key_lease_until=bindparam("until", type_=BigInteger))
)
RELEASE = Statement(update(ROOMS).where(*HELD).values(key_lease=None, key_lease_until=None))
CAN_RESTART = Statement(
    select(ROOMS.c.e2e_key_id)
    .join(PAIRS, PAIRS.c.account_id == USER)
    .where(*HELD, ROOMS.c.encrypted, PAIRS.c.public_key != "")
    .where(ROOMS.c.e2e_key_id.is_distinct_from(bindparam("key_id", type_=String)))
    .with_for_update(of=ROOMS, key_share=True)  # who sets its first key id comes before or after
)
# All of them, as a key that somebody is about to keep or suggest is one of before the restart.
LOCK_MEMBERS = Statement(
    select(MEMBERS.c.user_id, MEMBERS.c.e2e_key, MEMBERS.c.suggested_key, MEMBERS.c.old_keys)
    .where(MEMBERS.c.room_id == ROOM)
    .order_by(MEMBERS.c.user_id)
    .with_for_update()
)
PUT_AWAY = (  # for many rows at once
    update(MEMBERS)
    .where(*THIS)
    .values(e2e_key=None, old_keys=bindparam("old", type_=Text), **NO_SUGGESTION, **TOUCHED)
)
RENAME = Statement(
    update(ROOMS).where(*HELD).values(e2e_key_id=bindparam("key_id", type_=String), **TOUCHED)
)
ALL_WAIT = waiting(IN_ROOM)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """The key that a room is restarted with; `key` is wrapped for the caller."""

    room_id: str
    key_id: str
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Restarts:
    """Restarts rooms, one restart of a room at a time, in all workers."""

    acts: Acts

    def restart(self, asked: ActionRequest, new: NewKey) -> None:
        """Give the room a new key, which the caller has and all other members wait for.

        Keys that members have become old keys. Raises MayNotRestart, NotInRoom, RestartInProgress
        while another restart of this room runs, and RestartFailed.
        """
        with self.lease(asked, new.room_id) as lease:
            self.restart_held(asked, new, lease)

    def restart_held(self, asked: ActionRequest, new: NewKey, lease: str) -> None:
        """`restart`, of a room that is held by this lease. Raises RestartFailed where it is not."""

        def block(acting: RoomAct) -> None:
            """Restart it, and note it."""
            put_new_key(new, lease, acting)
            acting.note(ACTION, new.room_id)

        act(self.acts, asked, block)

    @contextmanager
    def lease(self, asked: ActionRequest, room_id: str) -> Iterator[str]:
        """Hold the room in this block, at most 10 seconds. Raises as `restart` does."""
        lease = self.acts.runtime.entropy.token_hex(LEASE_BYTES)
        act(self.acts, asked, partial(_take, room_id, lease))
        try:
            yield lease
        finally:
            with self.acts.runtime.transactions.begin() as session:
                RELEASE(session, {"room": room_id, "lease": lease})


def _check(acting: RoomAct, room_id: str) -> None:
    # Only roles are looked at before the membership: nothing tells whether there is such a room.
    if not acting.may(PERMISSION, room_id):
        raise MayNotRestart
    if not acting.is_member(room_id):
        raise NotInRoom


def _take(room_id: str, lease: str, acting: RoomAct) -> None:
    _check(acting, room_id)
    until = acting.now + LEASE_SECONDS
    held = {"room": room_id, "lease": lease, "now": acting.now, "until": until}
    if not TAKE(acting.session, held).rowcount:
        raise RestartInProgress


def put_new_key(
    new: NewKey, lease: str, acting: RoomAct, check: Callable[[RoomAct], None] = lambda _: None
) -> None:
    """Restart the room that is held by this lease, in an open transaction.

    `check` may refuse once the room and its members are locked. Raises MayNotRestart, NotInRoom and
    RestartFailed, with nothing written.
    """
    _check(acting, new.room_id)
    session, now = acting.session, acting.now
    room, mine = {"room": new.room_id}, {"room": new.room_id, "user": acting.caller_id}
    before = CAN_RESTART(session, {**mine, "lease": lease, "key_id": new.key_id}).first()
    if before is None:
        raise RestartFailed
    members = LOCK_MEMBERS(session, room)
    check(acting)
    named = {**room, "lease": lease, "key_id": new.key_id, "now": now}
    if not RENAME(session, named).rowcount:
        raise RestartFailed
    holders = [
        {**room, "user": row.user_id, "old": _old_keys(row, before.e2e_key_id, now), "now": now}
        for row in members
        if row.e2e_key is not None or row.suggested_key is not None
    ]
    if holders:
        run(session, PUT_AWAY, holders)
    ALL_WAIT(session, {**room, "now": now})
    KEEP(session, {**mine, "key": new.key, "now": now})
    STOP_WAITING(session, mine)


def _old_keys(row: Any, key_id: str | None, now: int) -> str | None:
    """The member's old keys with the present one in front, as on the wire."""
    if row.e2e_key is None:
        return str(row.old_keys) if row.old_keys else None
    newest = {"e2eKeyId": key_id or "", "ts": iso(now), "E2EKey": row.e2e_key}
    keys = [newest, *json.loads(row.old_keys or "[]")]
    return json.dumps(keys[:OLD_KEYS], separators=(",", ":"))
