"""Room keys: a reset drops them, and who lacks one waits for it."""

from sqlalchemy import BigInteger, ColumnElement, Executable, bindparam, or_, select, update
from sqlalchemy.orm import Session

from e2ereset.store.statements import Inserts, Statement
from e2ereset.store.tables import table

from .models import Room, Subscription, Waiting

ROOMS, SUBSCRIPTIONS, WAITING = table(Room), table(Subscription), table(Waiting)
LISTED = 50
"""How many who wait for the key of a room are told to clients; the next ones move up."""
NOW = bindparam("now", type_=BigInteger)
MINE = SUBSCRIPTIONS.c.user_id == bindparam("key")
KEYS = ("e2e_key", "suggested_key", "suggested_old_keys", "old_keys")
DROP_KEYS = Statement(
    update(SUBSCRIPTIONS)
    .where(MINE, or_(*(SUBSCRIPTIONS.c[name].is_not(None) for name in KEYS)))
    .values(dict.fromkeys(KEYS) | {"updated_at": NOW})
)

LOCK_KEYS = Statement(select(SUBSCRIPTIONS.c.room_id).where(MINE).with_for_update())


def waiting(*conditions: ColumnElement[bool]) -> Statement:
    """Have the members that these conditions choose wait for the keys of encrypted rooms.

    Who has the key does not wait, and who waits already keeps the place.
    """
    lacking = (
        select(SUBSCRIPTIONS.c.room_id, SUBSCRIPTIONS.c.user_id, NOW)
        .join(ROOMS, ROOMS.c.id == SUBSCRIPTIONS.c.room_id)
        .where(SUBSCRIPTIONS.c.e2e_key.is_(None), ROOMS.c.encrypted, *conditions)
    )
    columns = ["room_id", "user_id", "since"]

    def wait(insert: Inserts) -> Executable:
        found: Executable = insert(WAITING).from_select(columns, lacking).on_conflict_do_nothing()
        return found

    return Statement(wait)


IN_ROOM = ROOMS.c.id == bindparam("room")
WAIT, WAIT_IN_ROOM = waiting(MINE), waiting(MINE, IN_ROOM)


def drop_room_keys(session: Session, account_id: str, now: int) -> bool:
    """Drop every room key of the user, who waits for new ones since `now` (epoch seconds).

    True when there was a key, a suggestion or an old key to drop.
    """
    dropped = DROP_KEYS(session, {"key": account_id, "now": now}).rowcount
    wait_for_keys(session, account_id, now)
    return dropped > 0


def lock_room_keys(session: Session, account_id: str) -> None:
    """Let nobody keep or suggest a room key of this user before the commit."""
    LOCK_KEYS(session, {"key": account_id})


def wait_for_keys(session: Session, account_id: str, now: int) -> None:
    """Have the user wait for the room keys that are missing, since `now` (epoch seconds)."""
    WAIT(session, {"key": account_id, "now": now})


def wait_for_key(session: Session, account_id: str, room_id: str, now: int) -> None:
    """`wait_for_keys`, in this room only."""
    WAIT_IN_ROOM(session, {"key": account_id, "room": room_id, "now": now})
