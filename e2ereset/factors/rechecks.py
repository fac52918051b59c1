"""Reads the caller again in the transaction of the action, so that the newest rights count."""

from collections.abc import Callable
from dataclasses import replace

from sqlalchemy.orm import Session

from e2ereset.errors import NotSignedIn
from e2ereset.ports import Accounts, RechecksSignIns
from e2ereset.records import Caller


class Rechecks:
    """Reads a caller again in the action's transaction.

    With a `clock` the time is read again too, as the check of the proof may have waited.
    """

    def __init__(self, accounts: Accounts, clock: Callable[[], float] | None = None) -> None:
        self._accounts = accounts
        self._clock = clock
        self._sign_ins = accounts if isinstance(accounts, RechecksSignIns) else None

    def knows(self, session: Session, caller: Caller) -> bool:
        """Whether the host's accounts know the caller; a host may keep its staff elsewhere.

        False, without a look-up, if the sign-in is read again: it ends with its account.
        """
        if self._sign_ins and caller.sign_in:
            return False
        return self._accounts.get(session, caller.account.id) is not None

    def caller(self, session: Session, caller: Caller, now: int, *, known: bool) -> Caller:
        """The caller with the account as it is now.

        Raises NotSignedIn when the sign-in has ended or expired since it was read, when the account
        is not active any more, or when it was `known` and is gone.
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
