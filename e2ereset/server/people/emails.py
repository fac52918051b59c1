"""Administration of the e-mail addresses of accounts.

The first three functions are changes for `OnAccount.run`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, delete, update
from sqlalchemy.exc import IntegrityError

from e2ereset.errors import E2EResetError
from e2ereset.factors.models import EmailFactor
from e2ereset.factors.statements import DROP_CODES
from e2ereset.records import name_key
from e2ereset.store.tables import table

from .acts import Change
from .models import Email
from .service import BadPerson, addresses_of, check_address

EMAILS = table(Email)
WANTED: Any = bindparam("wanted")
THIS = (EMAILS.c.user_id == bindparam("owner"), EMAILS.c.address_key == bindparam("one"))
DROP = delete(EMAILS).where(*THIS)
VERIFY = update(EMAILS).where(*THIS, EMAILS.c.verified != WANTED).values(verified=WANTED)


class DeadFactor(E2EResetError):
    """The user has codes by e-mail and would have no verified address."""


def add_address(change: Change, address: str, *, verified: bool, beside: bool) -> None:
    """Give an account an address instead of its others, or `beside` them.

    The old and the new addresses get a mail. Raises BadPerson and DeadFactor.
    """
    check_address(address)
    old = [one for one, _ in addresses_of(change.session, change.account.id)]
    for other in [address] if beside else old:
        _drop(change, other)
    _store(change, address, verified)
    _check_factor(change)
    word = "added" if beside else "changed"
    words = f"Your e-mail address was {word}: {address}"
    change.done("change-email", words, outcome=word, also=[address])


def remove_address(change: Change, address: str) -> None:
    """Remove an address. Raises BadPerson where the user does not have it, and DeadFactor."""
    if not _drop(change, address):
        raise BadPerson(f"{change.account.username} has no address {address!r}.")
    _check_factor(change)
    words = f"Your e-mail address was removed: {address}"
    change.done("change-email", words, outcome="removed")


def verify_address(change: Change, address: str | None, *, verified: bool) -> str | None:
    """Mark an address, or the only one, as verified or not. None when it was so already.

    Raises BadPerson and DeadFactor.
    """
    chosen = _choose(change, address)
    if not change.execute(VERIFY, one=name_key(chosen), wanted=verified):
        return None
    if not verified:
        change.execute(DROP_CODES, account=change.account.id)
    _check_factor(change)
    word = "verified" if verified else "not verified any more"
    words = f"Your e-mail address is {word}: {chosen}"
    change.done("verify-email", words, outcome=word, also=[chosen])
    return chosen


def _store(change: Change, address: str, verified: bool) -> None:
    key = name_key(address)
    row = Email(user_id=change.account.id, address=address, address_key=key, verified=verified)
    change.session.add(row)
    try:
        change.session.flush()
    except IntegrityError:
        raise BadPerson(f"The address {address} is somebody else's.") from None


def _drop(change: Change, address: str) -> bool:
    """Drop an address, and all live codes, as it may have got one. False when there is none."""
    dropped = change.execute(DROP, one=name_key(address)) > 0
    if dropped:
        change.execute(DROP_CODES, account=change.account.id)
    return dropped


def _choose(change: Change, address: str | None) -> str:
    username = change.account.username
    known = [one for one, _ in addresses_of(change.session, change.account.id)]
    if address is None and len(known) != 1:
        raise BadPerson(f"{username} has {len(known)} addresses. Say which.")
    for one in known:
        if address is None or name_key(one) == name_key(address):
            return one
    raise BadPerson(f"{username} has no address {address!r}.")


def _check_factor(change: Change) -> None:
    account_id, username = change.account.id, change.account.username
    verified = any(verified for _, verified in addresses_of(change.session, account_id))
    has_factor = change.session.get(EmailFactor, account_id) is not None
    if has_factor and not verified:
        raise DeadFactor(
            f"{username} would have codes by e-mail and no verified address. Give another"
            f" one with --verified, or switch them off: user email-2fa {username} --off"
        )
