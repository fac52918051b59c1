"""Keeps a browser's request while its owner proves who they are; it is used once.

A request is found again only by the browser that sent it, for the same account and sign-in.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.orm import Session

from e2ereset.crypto import UnknownKey
from e2ereset.parts import Parts
from e2ereset.records import Action, Caller
from e2ereset.store.locks import lock_name
from e2ereset.store.retained import NOW, Expiring
from e2ereset.store.tables import table
from e2ereset.store.transactions import run

from .models import KeptRequest

KEPT = table(KeptRequest)
PURPOSE = "kept request"
EXPIRING = Expiring("kept requests", KEPT, KEPT.c.expires_at <= NOW)
KEEP_SECONDS = 600
MOST = 20
"""Requests of one account, from one network, that wait: nobody has as many pages open.

Of one network, so that who has a password or a sign-in of somebody else pushes no form of theirs
out.
"""
PROVEN_SECONDS = 120
"""How long a proof waits for the page that is asked for again by a redirect."""

THEIRS = (KEPT.c.owner == bindparam("owned_by"), KEPT.c.id != bindparam("key"))
NEWER = (
    select(KEPT.c.id).where(*THEIRS).order_by(KEPT.c.expires_at.desc(), KEPT.c.id).limit(MOST - 1)
)
MAKE_ROOM = delete(KEPT).where(*THEIRS, KEPT.c.id.not_in(NEWER))
"""Drop the oldest beyond MOST, this one counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A request as it was sent, and the action that it waits to do.

    `told` are the details of the refusal that asked for the proof. `kind` is the content type.
    `back` is the address of the page that it was sent from; empty where that is not known.
    """

    method: str
    path: str
    query: str
    kind: str = ""
    body: bytes = field(default=b"", repr=False)
    action: Action = field(default_factory=lambda: Action(name=""))
    told: Mapping[str, Any] = field(default_factory=dict)
    back: str = ""


class KeptRequests:
    """The requests that wait, of all browsers. `network` tells from where the present one comes."""

    def __init__(self, parts: Parts, network: Callable[[], str]) -> None:
        self._parts = parts
        self._network = network

    def keep(self, kept: Kept, cookie: str, caller: Caller | None) -> str:
        """Keep the request for KEEP_SECONDS; its id, which is no secret.

        Of more than MOST of one account and network the oldest makes room.
        """
        key = self._parts.entropy.token_urlsafe(16)
        self.put_back(key, kept, cookie, caller)
        return str(key)

    def put_back(self, key: str, kept: Kept, cookie: str, caller: Caller | None) -> None:
        """Keep a request under an id that was taken, as its proof was not right yet."""
        until = int(self._parts.clock()) + KEEP_SECONDS
        with self._parts.transactions.begin() as session:
            row = {"id": key, "browser": self._browsers(cookie, caller)[0], "proven_until": None}
            content = self._parts.keyring.encrypt(PURPOSE, key, _written(kept))
            bound = {"action": kept.action.name, "target": kept.action.target}
            owner = self._owner(kept.action, caller)
            lock_name(session, PURPOSE, owner)  # of two at once each would miss the other
            new = {**row, **bound, "owner": owner, "content": content, "expires_at": until}
            run(session, insert(KEPT), new)
            run(session, MAKE_ROOM, {"owned_by": owner, "key": key})

    def find(self, key: str, cookie: str, caller: Caller | None) -> Kept | None:
        """The request of this id and browser; None when it is over, used, or another's."""
        if not key.isprintable():  # no database takes every text
            return None
        with self._parts.transactions.look_up() as session:
            found = run(session, select(KEPT.c.content).where(*self._waits(key, cookie, caller)))
            row = found.first()
        return row and self._read(key, row.content)

    def take(self, key: str, cookie: str, caller: Caller | None) -> Kept | None:
        """`find`, once: of two requests at the same time one gets None."""
        if not key.isprintable():
            return None
        with self._parts.transactions.begin() as session:
            waits = self._waits(key, cookie, caller)
            found = run(session, select(KEPT.c.content).where(*waits)).first()
            if found is None or run(session, delete(KEPT).where(*waits)).rowcount != 1:
                return None
        return self._read(key, found.content)

    def note_proven(self, session: Session, action: Action, cookie: str, caller: Caller) -> None:
        """Note, in the transaction of the proof, that it was right for this action."""
        key, now = self._parts.entropy.token_urlsafe(16), int(self._parts.clock())
        row = {"id": key, "browser": self._browsers(cookie, caller)[0], "content": ""}
        until = now + PROVEN_SECONDS
        bound = {"action": action.name, "target": action.target}
        run(
            session,
            insert(KEPT),
            {**row, **bound, "proven_until": until, "expires_at": until},
        )

    def take_proven(self, action: Action, cookie: str, caller: Caller) -> bool:
        """Whether this browser has proven this action a moment ago; the proof is then used up."""
        now = int(self._parts.clock())
        mine = (
            KEPT.c.browser.in_(self._browsers(cookie, caller)),
            KEPT.c.action == action.name,
            KEPT.c.target == action.target,
            KEPT.c.proven_until > now,
        )
        with self._parts.transactions.begin() as session:
            oldest = select(KEPT.c.id).where(*mine).order_by(KEPT.c.proven_until).limit(1)
            key = run(session, oldest).scalar()
            return key is not None and bool(
                run(session, delete(KEPT).where(KEPT.c.id == key, *mine)).rowcount
            )

    def _waits(self, key: str, cookie: str, caller: Caller | None) -> tuple[Any, ...]:
        return (
            KEPT.c.id == key,
            KEPT.c.browser.in_(self._browsers(cookie, caller)),
            KEPT.c.proven_until.is_(None),
            KEPT.c.expires_at > int(self._parts.clock()),
        )

    def _browsers(self, cookie: str, caller: Caller | None) -> list[str]:
        who = (caller.account.id, caller.sign_in) if caller else ("", "")
        return self._parts.keyring.digests("browser", cookie, *who)

    def _owner(self, action: Action, caller: Caller | None) -> str:
        """Whose room it takes; a sign-in, whose target is the account, takes none of who is in."""
        who = ("in", caller.account.id) if caller else ("out", action.target)
        return self._parts.keyring.digest("owner", *who, self._network())

    def _read(self, key: str, content: str) -> Kept | None:
        try:
            plain = json.loads(self._parts.keyring.decrypt(PURPOSE, key, content))
        except UnknownKey:  # its secret key was taken away meanwhile
            return None
        body, action = b64decode(plain.pop("body")), Action(**plain.pop("action"))
        return Kept(**plain, body=body, action=action)


def _written(kept: Kept) -> str:
    plain = asdict(kept) | {"body": b64encode(kept.body).decode()}
    return json.dumps(plain)
