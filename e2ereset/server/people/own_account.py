"""Changes of one's own account: name and profile freely, address and password by a proof."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from e2ereset import Action, Caller, Proof, Runtime
from e2ereset.errors import NotAllowed
from e2ereset.records import ActionRequest, Passed, name_key

from . import profiles, vetting
from .administration import change_own_password
from .new_passwords import NewPasswords
from .permitted import change_of, noting, run_act
from .refusals import undoing
from .service import addresses_of, person_of
from .updates import apply

UPDATE = "update-own-account"
TAKEN = ("name", "username", "email", "bio", "nickname", "statusText")


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnAccount:
    """What people change of themselves."""

    runtime: Runtime
    passwords: NewPasswords

    def update(self, asked: ActionRequest, data: Mapping[str, Any]) -> dict[str, Any]:
        """Change one's own account; the user afterwards.

        Another address, and another password, are behind the second factor. Raises its refusals,
        and those of new values.
        """
        caller, new_password = asked.caller, data.get("newPassword")
        with self.runtime.transactions.look_up() as session:
            proven = bool(new_password) or _is_other_address(session, caller, data)
        phrase = f"change the address or the password of {caller.account.username}"
        action = Action(name=UPDATE, target=caller.account.id, phrase=phrase)
        asked = replace(asked, action=action, proof=self._proof(asked, data))
        with noting(self.runtime, asked):
            new_hash = self.passwords.hash_in_turn(new_password) if new_password else None
        act = partial(self._update, data, new_hash, proven)
        return run_act(self.runtime, asked, act, proven=proven)

    def _proof(self, asked: ActionRequest, data: Mapping[str, Any]) -> Proof:
        """The proof of the headers, or the current password of who has no better method."""
        current = data.get("currentPassword")
        if asked.proof.code is not None or not current:
            return asked.proof
        better = self.runtime.factors.status(asked.caller.account.id).in_use
        return asked.proof if better else Proof(code=current, method="password")

    def _update(
        self, data: Mapping[str, Any], new_hash: str | None, proven: bool, passed: Passed
    ) -> dict[str, Any]:
        session, caller = passed.session, passed.caller
        if not proven and _is_other_address(session, caller, data):
            raise NotAllowed("Your account has changed meanwhile. Try again")
        vetting.check_identity(session, caller.account.id, data)
        change = change_of(self.runtime, passed, caller.account)
        with undoing():
            apply(change, {name: data[name] for name in TAKEN if name in data}, None)
            if new_hash:
                change_own_password(change, new_hash, caller.sign_in)
        return profiles.full(person_of(session, caller.account.id))


def _is_other_address(session: Session, caller: Caller, data: Mapping[str, Any]) -> bool:
    """Whether the data have an address that the caller does not have."""
    known = {name_key(address) for address, _ in addresses_of(session, caller.account.id)}
    return bool(data.get("email")) and name_key(data["email"]) not in known
