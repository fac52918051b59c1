"""Grants for machines: made and ended by an operator, used in place of a proof.

A grant is the safe way to what a token with `bypassTwoFactor` does for everything: it names the
actions, the roles of their targets, the addresses and the number of uses a day, and it ends.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from sqlalchemy import bindparam, case, insert, or_, select, update
from sqlalchemy.orm import Session

from e2ereset import Caller
from e2ereset.errors import E2EResetError, GrantElsewhere, GrantSpent, NotAllowed
from e2ereset.factors.enrolment import UNLOCK
from e2ereset.factors.own import RESET as RESET_TOTP
from e2ereset.records import ActionRequest
from e2ereset.reset.service import ACTION as RESET_KEY
from e2ereset.server.people import accounts
from e2ereset.server.people.acts import Change
from e2ereset.server.people.service import check_roles
from e2ereset.server.sessions.tokens import TOKENS, NewToken, add_token, drop_named
from e2ereset.store.statements import Statement
from e2ereset.store.tables import table

from .models import MachineGrant

ACTIONS = (RESET_KEY, RESET_TOTP, UNLOCK)
"""What a grant can be for. Never a sign-in or a token: a machine would make itself more rights."""
DAY = 86400
GRANTS = table(MachineGrant)
THIS = (GRANTS.c.user_id == bindparam("owner"), GRANTS.c.name == bindparam("label"))
FIND = Statement(select(GRANTS).where(*THIS))
ADD = Statement(insert(GRANTS))
TODAY: Any = bindparam("today", type_=GRANTS.c.day.type)
# A day ahead is not fresh: the clocks of two machines may have midnight between them.
FRESH = or_(GRANTS.c.day < TODAY, GRANTS.c.day > TODAY + 1)
USE = Statement(
    update(GRANTS)
    .where(*THIS, or_(FRESH, GRANTS.c.used < GRANTS.c.per_day))
    .values(
        day=case((FRESH, TODAY), else_=GRANTS.c.day),
        used=case((FRESH, 1), else_=GRANTS.c.used + 1),
    )
)
LIST = (
    select(
        accounts.USERS.c.username,
        *(column for column in GRANTS.c if column.name != "user_id"),
        TOKENS.c.expires_at,
    )
    .select_from(GRANTS)
    .join(accounts.USERS, accounts.USERS.c.id == GRANTS.c.user_id)
    .join(TOKENS, (TOKENS.c.user_id == GRANTS.c.user_id) & (TOKENS.c.name == GRANTS.c.name))
    .where(TOKENS.c.expires_at > bindparam("now"))
    .order_by(accounts.USERS.c.username, GRANTS.c.name)
)
Network = IPv4Network | IPv6Network


class BadGrant(E2EResetError):
    """There is no such grant, or it cannot be made like this; the text says what to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a grant is for: `per_day` uses of the actions, until `expires_at` (epoch seconds)."""

    actions: Sequence[str]
    roles: Sequence[str]
    networks: Sequence[Network]
    per_day: int
    expires_at: int

    def __str__(self) -> str:
        lists = (self.actions, self.roles, map(str, self.networks))
        what, whose, where = (", ".join(dict.fromkeys(one)) for one in lists)
        return f"{what} for {whose}, from {where}, {self.per_day} a day"


def add_grant(change: Change, label: str, limits: Limits) -> str:
    """Make a token of the account with a grant of this name, and tell the owner; the token.

    Raises TokenNameTaken, BadGrant and BadPerson.
    """
    session, account, now = change.session, change.account, change.now
    if limits.expires_at <= now:
        raise BadGrant("The last day of the grant is over. Give a later one.")
    check_roles(session, limits.roles)
    new = NewToken(
        user_id=account.id,
        created_at=now,
        expires_at=limits.expires_at,
        name=label,
        granted=True,
    )
    token = add_token(session, new, change.runtime.entropy)
    if token is None:
        raise BadGrant(f"{account.username} is not active.")
    lists = {name: _listed(getattr(limits, name)) for name in ("actions", "roles", "networks")}
    of = {"user_id": account.id, "name": label}
    ADD(session, of | lists | {"per_day": limits.per_day, "day": 0, "used": 0})
    words = f"A token for machines ({label}) was made, which skips the second factor: {limits}"
    change.done("add-grant", words, outcome=f"added {label}")
    return token


def end_grant(change: Change, label: str) -> None:
    """End the token with the grant of this name, and tell the owner. Raises BadGrant."""
    if _find(change.session, change.account.id, label) is None or not drop_named(
        change.session, change.account.id, label
    ):
        raise BadGrant(f"{change.account.username} has no grant {label!r}.")
    words = f"The token for machines ({label}) was ended"
    change.done("end-grant", words, outcome=f"ended {label}")


def list_grants(session: Session, now: int) -> list[dict[str, Any]]:
    """The live grants of all users, as the command line prints them."""
    today = now // DAY
    return [
        {
            "username": row.username,
            "name": row.name,
            "actions": json.loads(row.actions),
            "roles": json.loads(row.roles),
            "networks": json.loads(row.networks),
            "usedToday": row.used if today <= row.day <= today + 1 else 0,
            "perDay": row.per_day,
            "expiresAt": row.expires_at,
        }
        for row in session.execute(LIST, {"now": now})
    ]


def read_network(text: str) -> Network:
    """The address or network in CIDR notation. Raises BadGrant, also for one of all addresses."""
    try:
        network = ip_network(text)
    except ValueError as fault:
        raise BadGrant(f"{fault}. Write an address, or a network such as 10.1.0.0/16.") from None
    if network.prefixlen == 0:
        raise BadGrant(f"{text} is every address. Name those of the machine.")
    return network


def has_grant(session: Session, caller: Caller, action: str) -> bool:
    """Whether the caller's grant is for this action; see `ports.HoldsGrants`."""
    grant = _find(session, caller.account.id, caller.grant)
    return grant is not None and action in json.loads(grant.actions)


def use_grant(session: Session, asked: ActionRequest) -> bool:
    """Count a use of the caller's grant; see `ports.HoldsGrants`.

    A use from elsewhere, or on a target of another role, does not count. Raises GrantElsewhere,
    NotAllowed, GrantSpent.
    """
    caller, owner = asked.caller, asked.caller.account.id
    grant = _find(session, owner, caller.grant)
    if grant is None or asked.action.name not in json.loads(grant.actions):
        return False
    if not _is_within(caller.address, json.loads(grant.networks)):
        raise GrantElsewhere()
    # The same words for nobody and for somebody of another role: they show nobody who exists.
    target = accounts.get_account(session, asked.action.target)
    if target is None or not target.roles or not {*target.roles} <= {*json.loads(grant.roles)}:
        raise NotAllowed()
    today, second = divmod(asked.now, DAY)
    if USE(session, {"owner": owner, "label": caller.grant, "today": today}).rowcount != 1:
        raise GrantSpent(DAY - second)
    return True


def _find(session: Session, user_id: str, label: str) -> Any:
    return FIND(session, {"owner": user_id, "label": label}).first()


def _is_within(address: str, networks: Sequence[str]) -> bool:
    return bool(address) and any(ip_address(address) in ip_network(one) for one in networks)


def _listed(values: Sequence[Any]) -> str:
    return json.dumps(list(dict.fromkeys(map(str, values))))
