"""What people do with their passkeys: each act behind the factors that they have."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from sqlalchemy.orm import Session

from e2ereset.errors import EnrolmentInvalid
from e2ereset.parts import Parts
from e2ereset.ports import EndsOtherSessions
from e2ereset.records import Account, Action, ActionRequest, Caller, Passed, Proof
from e2ereset.store.transactions import run

from . import passkeys as sql
from .changes import FactorChanges
from .own import own_request
from .stepup import StepUp
from .strategies.base import COUNTS_ALWAYS, Strategy

NAME = "passkey"
BEGIN, RENAME, REMOVE = "begin-passkey", "rename-passkey", "disable-passkey"
PHRASES = {
    BEGIN: "add a passkey to the account of {}",
    RENAME: "rename a passkey of {}",
    REMOVE: "remove a passkey of {}",
}
MOST = 20
"""Passkeys of one account."""


@runtime_checkable
class MakesPasskeys(Protocol):
    """Our strategy of passkeys, which is imported only where it is named."""

    name: str
    party: Any

    def start(self, session: Session, account: Account, action: Action, now: int) -> str:
        """Store a nonce for this action; the nonce."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPasskey:
    """A passkey as its owner is shown it. Times are in epoch seconds; `used_at` None: never.

    It proves no sign-in that began before `counts_from`; None: any.
    """

    id: str
    name: str
    created_at: int
    used_at: int | None
    counts_from: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPasskey:
    """A passkey that waits for its authenticator: what a browser is asked, as JSON."""

    name: str
    options: dict[str, Any] = field(repr=False)


class OwnPasskeys:
    """The passkeys of callers. One that they add proves no older sign-in."""

    def __init__(
        self,
        parts: Parts,
        *,
        strategies: Iterable[Strategy],
        changes: FactorChanges,
        stepup: StepUp,
    ) -> None:
        accounts = parts.accounts
        self._parts = parts
        self._ends_others = accounts if isinstance(accounts, EndsOtherSessions) else None
        ours = (s for s in strategies if s.name == NAME and isinstance(s, MakesPasskeys))
        self._strategy: Any = next(ours, None)
        self._changes = changes
        self._stepup = stepup

    @property
    def on(self) -> bool:
        """Whether passkeys are one of the methods."""
        return self._strategy is not None

    def owned(self, account_id: str) -> list[OwnPasskey]:
        """The passkeys of the account, oldest first."""
        with self._parts.transactions.look_up() as session:
            rows = run(session, sql.LISTED, {"account": account_id}).all()
        return [OwnPasskey(**row._mapping) for row in rows]

    def begin(self, caller: Caller, name: str, proof: Proof, now: int, *, browser: str) -> None:
        """Begin a passkey of this name, which replaces one that was begun.

        The proof is asked for here: only this sign-in can go on, in the browser whose secret this
        is, as a host may not tell sign-ins apart. Raises EnrolmentInvalid where there are too many,
        and the refusals of the second factor.
        """

        def begin(passed: Passed) -> None:
            """Store what its authenticator will sign."""
            session, account = passed.session, passed.caller.account
            if (run(session, sql.COUNTED, {"account": account.id}).scalar() or 0) >= MOST:
                raise EnrolmentInvalid(f"There are {MOST} passkeys. Remove one first.")
            action = self._confirming(caller, browser, name)
            self._strategy.start(session, account, action, now)

        self._stepup.run(_asked(caller, BEGIN, now, proof=proof, enrols=True), begin)

    def begun(self, caller: Caller, now: int, *, browser: str) -> NewPasskey | None:
        """The passkey that this sign-in has begun in this browser; None when none waits."""
        account = caller.account
        with self._parts.transactions.look_up() as session:
            action = self._confirming(caller, browser)
            found = self._waiting(session, action, caller, now)
            if found is None:
                return None
            mine = {"account": account.id, "counting": COUNTS_ALWAYS}
            known = [tuple(row) for row in sql.CREDENTIALS(session, mine)]
        challenge = sql.digest_of(account, action, found.nonce)
        owner = (account.id, account.username)
        options = self._strategy.party.creation(challenge, owner, known)
        return NewPasskey(name=found.phrase, options=options)

    def confirm(self, caller: Caller, answer: str, now: int, *, browser: str) -> None:
        """Add the passkey that was begun in this browser, by what it answers.

        The other sign-ins of the account end. Raises EnrolmentInvalid.
        """

        def confirm(passed: Passed) -> None:
            """Use the challenge up, and store the passkey."""
            session, by = passed.session, passed.caller
            row = self._made(session, caller, answer, now, browser=browser)
            if row is None or not self._changes.add_passkey(session, row, by, now):
                raise EnrolmentInvalid("The passkey was not accepted")
            if self._ends_others:
                self._ends_others.end_other_sessions(session, by.account.id, caller.sign_in)

        self._stepup.run(_asked(caller, sql.CONFIRM, now, proven=False), confirm)

    def rename(self, caller: Caller, key: str, proof: Proof, now: int, *, name: str) -> None:
        """Call a passkey of the caller's something else, by a proof that is for it alone."""

        def rename(passed: Passed) -> None:
            """Rename it."""
            mine = {"account": passed.caller.account.id, "key": key, "called": name}
            run(passed.session, sql.RENAME, mine)

        self._stepup.run(_asked(caller, RENAME, now, key=key, proof=proof), rename)

    def remove(self, caller: Caller, key: str, proof: Proof, now: int) -> None:
        """Remove a passkey of the caller's, by a proof that is for it alone."""

        def remove(passed: Passed) -> None:
            """Remove it."""
            self._changes.remove_passkey(passed.session, key, passed.caller, now)

        self._stepup.run(_asked(caller, REMOVE, now, key=key, proof=proof), remove)

    def _confirming(self, caller: Caller, browser: str, name: str = "") -> Action:
        """What the authenticator of a new passkey signs: it is bound to sign-in and browser."""
        bound = self._parts.keyring.digest("new passkey", caller.sign_in, browser)
        return Action(name=sql.CONFIRM, target=caller.account.id, phrase=name, plan=bound)

    def _waiting(self, session: Session, action: Action, caller: Caller, now: int) -> Any:
        live = sql.live_for(caller.account, action, now)
        return run(session, sql.NONCE, live).first()

    def _made(
        self, session: Session, caller: Caller, answer: str, now: int, *, browser: str
    ) -> dict[str, Any] | None:
        """The row of the passkey that the browser has made; None when it is no right answer."""
        action = self._confirming(caller, browser)
        found = self._waiting(session, action, caller, now)
        if found is None:
            return None
        challenge = sql.digest_of(caller.account, action, found.nonce)
        made = self._strategy.party.register(answer, challenge)
        used = {**sql.live_for(caller.account, action, now), "used": found.nonce}
        if made is None or run(session, sql.BURN, used).rowcount != 1:
            return None
        return {
            "id": made.key,
            "account_id": caller.account.id,
            "name": found.phrase,
            "credential": made.credential,
            "transports": made.transports,
            "counter": made.counter,
            "created_at": now,
            "counts_from": now,
            "used_at": None,
        }


def _asked(caller: Caller, act: str, now: int, *, key: str = "", **facts: Any) -> ActionRequest:
    target = f"{caller.account.id}:{key}" if key else ""
    action = Action(name=act, target=target, phrase=PHRASES.get(act, ""))
    return own_request(caller, action, now, **facts)
