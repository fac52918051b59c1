"""Which users a caller may act on, by the rules for resetting a key, in SQL."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import false, func, or_, select
from sqlalchemy.orm import Session

from e2ereset import name_key

from .accounts import ROLES, USERS
from .models import FEDERATED

FACTS = (USERS.c.id, USERS.c.username, USERS.c.name, USERS.c.active)


@dataclass(frozen=True, slots=True, kw_only=True)
class Helpable:
    """The users whom one caller may help: not the caller, nobody federated, nobody above.

    `below` has the roles that they may have; None for any, empty for nobody at all.
    """

    caller_id: str
    below: Sequence[str] | None

    def among(self, session: Session, ids: Collection[str]) -> set[str]:
        """The ids, of these, of users whom the caller may help."""
        return set(session.scalars(select(USERS.c.id).where(USERS.c.id.in_(ids), self._rule())))

    def search(self, session: Session, text: str, after: str, limit: int) -> list[Any]:
        """Those whose username or name has this text, by username, after this username.

        Each has `id`, `username`, `name` and `active`.
        """
        key = name_key(text)
        named = or_(
            USERS.c.username_key.contains(key, autoescape=True),
            func.lower(USERS.c.name).contains(key, autoescape=True),
        )
        query = select(*FACTS).where(self._rule(), named, USERS.c.username_key > name_key(after))
        return list(session.execute(query.order_by(USERS.c.username_key).limit(limit)))

    def _rule(self) -> Any:
        others = (USERS.c.id != self.caller_id) & (USERS.c.kind != FEDERATED)
        if self.below is None:
            return others
        if not self.below:
            return false()
        above = select(ROLES.c.user_id).where(ROLES.c.role.not_in(self.below))
        return others & USERS.c.id.not_in(above)
