"""Rights are as of the act: the caller is read again in the transaction of what is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sqlalchemy.orm import Session

from e2ereset.errors import NotSignedIn
from e2ereset.ports import Accounts, RechecksSignIns
from e2ereset.records import Caller


class Rechecks:
    """Reads a caller again inside the action's transaction: rights are as of the act.

    With a `clock` the time is as of the act too: a proof may have waited for its turn.
    """

    def __init__(self, accounts: Accounts, clock: Callable[[], float] | None = None) -> None:
        self._accounts = accounts
        self._clock = clock
        self._sign_ins = accounts if isinstance(accounts, RechecksSignIns) else None

    def knows(self, session: Session, caller: Caller) -> bool:
        """Whether the host's accounts know the caller; staff may be kept elsewhere.

        Not asked where the sign-in is read again, which an account does not outlive.
        """
        if self._sign_ins and caller.sign_in:
            return False
        return self._accounts.get(session, caller.account.id) is not None

    def caller(self, session: Session, caller: Caller, now: int, *, known: bool) -> Caller:
        """The caller with the account of now.

        Raises NotSignedIn where the sign-in has ended or expired since it was read, or where the
        account is not active any more, or gone though it was `known`.
        """
        sign_in = caller.sign_in
        if self._clock:
            now = max(now, int(self._clock()))
        if self._sign_ins and sign_in and not self._sign_ins.is_signed_in(session, sign_in, now):
            raise NotSignedIn()
        account = self._accounts.get(session, caller.account.id)
        if account is None and not known:
            return caller
        if account is None or not account.active:
            raise NotSignedIn()
        return replace(caller, account=account)
