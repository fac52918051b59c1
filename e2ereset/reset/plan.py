"""What a reset would lose, row by row, before anybody has done it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from e2ereset.crypto import KeyRing
from e2ereset.errors import Refusal
from e2ereset.parts import Parts
from e2ereset.ports import ForeseesLosses, LocksLosses
from e2ereset.records import Account, Losses, LostRoom, iso
from e2ereset.rooms import seen_within
from e2ereset.vault.service import PairFacts, facts_in


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a reset of this account's key would do, if it were done now.

    `pair` is None where no key is stored. `made_at` is in epoch seconds.
    """

    account: Account
    pair: PairFacts | None
    losses: Losses
    made_at: int
    keyring: KeyRing = field(repr=False)

    @property
    def digest(self) -> str:
        """What a reset is bound to that carries it: it changes with anything that would be lost.

        It is keyed, so that whoever may not see the rooms cannot try names of rooms on it.
        """
        told = self.told()
        for room in told["rooms"]:
            room.pop("seenWithinDays", None)  # nothing of that is lost
        text = json.dumps(told, sort_keys=True)
        return self.keyring.digest("reset plan", text).partition(":")[2]

    def told(self) -> dict[str, Any]:
        """The plan as the account itself reads it."""
        pair, losses = self.pair, self.losses
        return {
            "userId": self.account.id,
            "username": self.account.username,
            "keySet": pair is not None,
            **({"keySetAt": iso(pair.set_at), "fingerprint": pair.fingerprint} if pair else {}),
            "rooms": [self._told_of(room) for room in losses.rooms],
            **self._counts(),
        }

    def told_to_others(self) -> dict[str, Any]:
        """The same without the rooms, which are no business of who may reset the key."""
        return {name: value for name, value in self.told().items() if name != "rooms"}

    def seen(self, room: LostRoom) -> int | None:
        """Within how many of the last days one was seen who has the key; see `seen_within`."""
        return seen_within(room.seen_at, self.made_at)

    def _told_of(self, room: LostRoom) -> dict[str, Any]:
        seen = self.seen(room)
        named = {"_id": room.id, "name": room.name, "holders": room.holders}
        return named | ({"seenWithinDays": seen} if seen else {})

    def _counts(self) -> dict[str, int]:
        losses = self.losses
        return {
            "roomsLost": len(losses.rooms),
            "roomsWithoutHolder": sum(not room.holders for room in losses.rooms),
            "signIns": losses.sign_ins,
            "tokens": losses.tokens,
        }


class PlanChanged(Refusal):
    """What the reset would lose is not what the caller was shown. Nothing was done."""

    code = "error-plan-changed"
    reason = "What this reset would lose has changed. Look at it again"

    def __init__(self, plan: Mapping[str, Any], digest: str) -> None:
        super().__init__(plan=plan, digest=digest)


class Plans:
    """Makes plans. What the host keeps comes from its accounts, if they implement ForeseesLosses.

    Without that a plan has the key alone.
    """

    def __init__(self, parts: Parts) -> None:
        accounts = parts.accounts
        self._parts = parts
        self._host = accounts if isinstance(accounts, ForeseesLosses) else None
        self._locks = accounts if isinstance(accounts, LocksLosses) else None

    def make(self, session: Session, account: Account, now: int) -> Plan:
        """The plan of a reset at `now` (epoch seconds), as this transaction sees it."""
        losses = self._host.losses(session, account.id, now) if self._host else Losses()
        pair, keyring = facts_in(session, account.id), self._parts.keyring
        return Plan(account=account, pair=pair, losses=losses, made_at=now, keyring=keyring)

    def lock(self, session: Session, account: Account) -> None:
        """Have nothing added to the plan before the commit, where the host locks that.

        More or fewer others can hold the key of a room meanwhile, but one of them keeps it.
        """
        if self._locks:
            self._locks.lock_losses(session, account.id)

    def check(
        self, session: Session, account: Account, digest: str, *, own: bool, now: int
    ) -> None:
        """Raise PlanChanged unless the plan is still the one with this digest."""
        plan = self.make(session, account, now)
        if plan.digest != digest:
            told = plan.told() if own else plan.told_to_others()
            raise PlanChanged(told, plan.digest)
