"""Who there is, as far as the caller may see it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from e2ereset import Caller, Refusal, Runtime
from e2ereset.http import Page

from . import profiles
from .accounts import USERS, find_account, find_account_by_email, get_account
from .service import Person, find_person, page_of_people

VIEW_ALL, VIEW_ROOMS = "view-full-other-user-info", "view-other-user-channels"
OF_ROOM = ("rid", "name", "t", "roles", "unread")
SORTED_BY = {
    "username": USERS.c.username_key,
    "name": USERS.c.name,
    "createdAt": USERS.c.created_at,
    "active": USERS.c.active,
}
FIND = {
    "userId": get_account,
    "username": find_account,
    "email": find_account_by_email,
}
MembershipsOf = Callable[[Session, str, int | None], Sequence[Mapping[str, Any]]]
"""The memberships of a user in rooms, as on the wire; since a time, or all of them."""


class NoSuchPerson(Refusal):
    """Nobody is found, or nobody whom the caller may find in this way."""

    code = "error-user-not-found"
    reason = "User not found."
    bracketed = typed = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """Shows users to each other."""

    runtime: Runtime
    memberships: MembershipsOf

    def info(self, caller: Caller, by: str, name: str, *, rooms: bool = False) -> dict[str, Any]:
        """The user whom this `userId`, `username` or `email` names. Raises NoSuchPerson.

        With `rooms`, and for who may see them, the user has `rooms`.
        Only who sees all of everybody finds people by an address: it is not public who has it.
        """
        with self.runtime.transactions.read() as session:
            sees_all = self.sees_all(session, caller)
            hidden = by not in FIND or (by == "email" and not sees_all)
            found = None if hidden else FIND[by](session, name)
            person = find_person(session, found.id) if found else None
            if person is None:
                raise NoSuchPerson()
            shown = self._rooms(session, caller, person) if rooms else {}
        user = self._shown(person, caller, sees_all)
        if person.user.id == caller.account.id:
            user["services"] = profiles.own_services(person)
        return {**user, **shown, "canViewAllInfo": sees_all}

    def list(self, caller: Caller, page: Page) -> tuple[Sequence[dict[str, Any]], int]:
        """The users of this page, and how many there are in all."""
        with self.runtime.transactions.read() as session:
            sees_all = self.sees_all(session, caller)
            people, total = page_of_people(session, page)
            return [self._shown(person, caller, sees_all) for person in people], total

    def sees_all(self, session: Session, caller: Caller) -> bool:
        """Whether the caller sees addresses and roles of everybody."""
        return self.runtime.permissions.allows(session, caller.account.roles, VIEW_ALL)

    def _shown(self, person: Person, caller: Caller, sees_all: bool) -> dict[str, Any]:
        own = person.user.id == caller.account.id
        return profiles.shown(person, sees_all=sees_all or own)

    def _rooms(self, session: Session, caller: Caller, person: Person) -> dict[str, Any]:
        """The `rooms` of the user, without keys; nothing for who may not see them."""
        account, user_id = caller.account, person.user.id
        allows = self.runtime.permissions.allows
        if user_id != account.id and not allows(session, account.roles, VIEW_ROOMS):
            return {}
        rows = self.memberships(session, user_id, None)
        return {"rooms": [{name: row[name] for name in OF_ROOM if name in row} for row in rows]}
