"""Looking after the e-mail addresses of accounts."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from e2ereset import Account
from e2ereset.errors import E2EResetError
from e2ereset.factors.models import EmailFactor
from e2ereset.factors.statements import DROP_CODES
from e2ereset.records import name_key
from e2ereset.store.tables import table
from e2ereset.store.transactions import run

from .acts import Acting
from .models import Email
from .service import BadPerson, check_address

EMAILS, FACTORS = table(Email), table(EmailFactor)
OWN: Any = bindparam("owner")
ONE: Any = bindparam("one")
GET = select(EMAILS.c.address, EMAILS.c.verified).where(EMAILS.c.user_id == OWN)
DROP = delete(EMAILS).where(EMAILS.c.user_id == OWN, EMAILS.c.address_key == ONE)
VERIFY = (
    update(EMAILS)
    .where(
        EMAILS.c.user_id == OWN,
        EMAILS.c.address_key == ONE,
        EMAILS.c.verified != bindparam("wanted"),
    )
    .values(verified=bindparam("wanted"))
)
HAS_FACTOR = select(FACTORS.c.account_id).where(FACTORS.c.account_id == OWN)


class DeadFactor(E2EResetError):
    """Codes by e-mail would be on without an address to go to."""


def add_address(
    acting: Acting, account: Account, address: str, *, verified: bool, beside: bool
) -> None:
    """Give an account an address, in the place of those it has or `beside` them.

    Old and new addresses are told. Raises BadPerson and DeadFactor.
    """
    check_address(address)

    def act(session: Session, account: Account) -> None:
        old = [row.address for row in session.execute(GET, {"owner": account.id})]
        for other in [address] if beside else old:
            _drop(session, account, other)
        _store(session, account, address, verified)
        _check_factor(session, account)
        word = "added" if beside else "changed"
        change = f"Your e-mail address was {word}: {address}"
        acting.done(session, account, "change-email", change, outcome=word, also=[address])

    acting.change(account, act)


def remove_address(acting: Acting, account: Account, address: str) -> None:
    """Take an address away. Raises BadPerson where there is no such one, and DeadFactor."""

    def act(session: Session, account: Account) -> None:
        if not _drop(session, account, address):
            raise BadPerson(f"{account.username} has no address {address!r}.")
        _check_factor(session, account)
        change = f"Your e-mail address was removed: {address}"
        acting.done(session, account, "change-email", change, outcome="removed")

    acting.change(account, act)


def verify_address(
    acting: Acting, account: Account, address: str | None, *, verified: bool
) -> str | None:
    """Take an address, or the only one, as the owner's, or as unknown. None when it was so.

    Raises BadPerson and DeadFactor.
    """

    def act(session: Session, account: Account) -> str | None:
        chosen = _choose(session, account, address)
        values = {"owner": account.id, "one": name_key(chosen), "wanted": verified}
        if not run(session, VERIFY, values).rowcount:
            return None
        if not verified:
            run(session, DROP_CODES, {"account": account.id})
        _check_factor(session, account)
        word = "verified" if verified else "not verified any more"
        change = f"Your e-mail address is {word}: {chosen}"
        acting.done(session, account, "verify-email", change, outcome=word, also=[chosen])
        return chosen

    return acting.change(account, act)


def _store(session: Session, account: Account, address: str, verified: bool) -> None:
    row = Email(
        user_id=account.id, address=address, address_key=name_key(address), verified=verified
    )
    session.add(row)
    try:
        session.flush()
    except IntegrityError:
        raise BadPerson(f"The address {address} is somebody else's.") from None


def _drop(session: Session, account: Account, address: str) -> bool:
    """Drop an address, and the codes that may lie in its mail box. False when there is none."""
    dropped = run(session, DROP, {"owner": account.id, "one": name_key(address)}).rowcount > 0
    if dropped:
        run(session, DROP_CODES, {"account": account.id})
    return dropped


def _choose(session: Session, account: Account, address: str | None) -> str:
    known: list[str] = [row.address for row in session.execute(GET, {"owner": account.id})]
    if address is None:
        if len(known) == 1:
            return known[0]
        raise BadPerson(f"{account.username} has {len(known)} addresses. Say which.")
    for one in known:
        if name_key(one) == name_key(address):
            return one
    raise BadPerson(f"{account.username} has no address {address!r}.")


def _check_factor(session: Session, account: Account) -> None:
    own = {"owner": account.id}
    if session.execute(HAS_FACTOR, own).first() is None:
        return
    if not any(row.verified for row in session.execute(GET, own)):
        raise DeadFactor(
            f"{account.username} would have codes by e-mail and no verified address. Give another"
            f" one with --verified, or switch them off: user email-2fa {account.username} --off"
        )
