"""Administration of users: making them, finding them, showing them without any secret."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import Row, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload

from e2ereset.errors import E2EResetError
from e2ereset.factors.models import BackupCode, EmailFactor, Totp
from e2ereset.permissions.models import Role
from e2ereset.records import name_key
from e2ereset.vault.models import KeyPair

from .models import Email, User, UserRole

# Meteor's alphabet for ids: none of these is taken for another.
ID_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTWXYZabcdefghijkmnopqrstuvwxyz"
ID_LENGTH = 17
USERNAME = re.compile(r"[0-9A-Za-z._-]{1,128}")
ADDRESS = re.compile(r"[^\s@,;<>\"\\]{1,64}@[^\s@,;<>\"\\]{1,189}")


class BadPerson(E2EResetError):
    """A name, an address or a role that no user can have; the text says which."""


class UnknownPerson(E2EResetError):
    """There is no user of this name."""


class Chooses(Protocol):
    """What makes ids: the module `secrets`, or its like in a test."""

    def choice(self, sequence: str) -> str:
        """One of the characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAddress:
    """An address of a user to be made."""

    address: str
    verified: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPerson:
    """A user to be made; without a `password_hash` one can sign in by tokens only.

    `verified` is for those of the `emails` that are texts.
    """

    username: str
    emails: Sequence[str | NewAddress] = ()
    verified: bool = False
    roles: Sequence[str] = ("user",)
    password_hash: str | None = field(default=None, repr=False)
    kind: str = "user"
    active: bool = True

    @property
    def addresses(self) -> list[NewAddress]:
        """The addresses, each with whether it is verified."""
        return [
            NewAddress(address=one, verified=self.verified) if isinstance(one, str) else one
            for one in self.emails
        ]


def add_person(session: Session, new: NewPerson, now: int, entropy: Chooses) -> User:
    """Make a user.

    Raises BadPerson for a name, address or role that cannot be, or that somebody else has.
    """
    _check(session, new)
    user = User(
        id="".join(entropy.choice(ID_ALPHABET) for _ in range(ID_LENGTH)),
        username=new.username,
        username_key=name_key(new.username),
        name=new.username,
        password_hash=new.password_hash,
        active=new.active,
        kind=new.kind,
        created_at=now,
        emails=[
            Email(address=one.address, address_key=name_key(one.address), verified=one.verified)
            for one in new.addresses
        ],
        roles=[UserRole(role=role) for role in dict.fromkeys(new.roles)],
    )
    session.add(user)
    try:
        session.flush()
    except IntegrityError:
        raise BadPerson(f"The username {new.username} or its address is taken.") from None
    return user


def check_address(address: str) -> None:
    """Raise BadPerson where this is no e-mail address."""
    if not (ADDRESS.fullmatch(address) and address.isprintable()):
        raise BadPerson(f"{address!r} is no e-mail address.")


def check_roles(session: Session, roles: Sequence[str]) -> None:
    """Raise BadPerson for a role that is not there; the text lists those that are."""
    known = session.scalars(select(Role.name).order_by(Role.rank.desc())).all()
    for role in roles:
        if role not in known:
            raise BadPerson(f"There is no role {role!r}. Known: {', '.join(known)}.")


def _check(session: Session, new: NewPerson) -> None:
    if not USERNAME.fullmatch(new.username):
        raise BadPerson("A username has 1 to 128 of: letters A-Z and a-z, digits, and . _ -")
    for one in new.addresses:
        check_address(one.address)
    check_roles(session, new.roles)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A user as an administrator sees one. Times are epoch seconds."""

    user_id: str
    username: str
    name: str
    active: bool
    kind: str
    roles: tuple[str, ...]
    emails: tuple[tuple[str, bool], ...]
    has_password: bool
    totp: bool
    email_2fa: bool
    backup_codes_left: int
    has_key: bool
    created_at: int


_CODES = (
    select(func.count())
    .select_from(BackupCode)
    .where(BackupCode.account_id == User.id)
    .scalar_subquery()
)
_PEOPLE = (
    select(
        User,
        Totp.enabled_at.is_not(None).label("totp"),
        EmailFactor.account_id.is_not(None).label("email_2fa"),
        KeyPair.account_id.is_not(None).label("has_key"),
        _CODES.label("codes"),
    )
    .outerjoin(Totp, Totp.account_id == User.id)
    .outerjoin(EmailFactor, EmailFactor.account_id == User.id)
    .outerjoin(KeyPair, KeyPair.account_id == User.id)
    .options(selectinload(User.roles), selectinload(User.emails))
    .order_by(User.username_key)
)


def list_people(session: Session) -> Iterator[Person]:
    """Every user, by username; read in batches."""
    for row in session.execute(_PEOPLE.execution_options(yield_per=500)):
        yield _person(row)


def get_person(session: Session, username: str) -> Person:
    """The user of this name, as `name_key` compares names. Raises UnknownPerson."""
    one = _PEOPLE.where(User.username_key == name_key(username))
    row = session.execute(one).first()
    if row is None:
        raise UnknownPerson(f"There is no user {username!r}.")
    return _person(row)


def find_person(session: Session, user_id: str) -> Person | None:
    """The user of this id; None when there is none."""
    row = session.execute(_PEOPLE.where(User.id == user_id)).first()
    return None if row is None else _person(row)


def _person(row: Row[Any]) -> Person:
    user: User = row.User
    return Person(
        user_id=user.id,
        username=user.username,
        name=user.name,
        active=user.active,
        kind=user.kind,
        roles=tuple(held.role for held in user.roles),
        emails=tuple((email.address, email.verified) for email in user.emails),
        has_password=user.password_hash is not None,
        totp=row.totp,
        email_2fa=row.email_2fa,
        backup_codes_left=row.codes,
        has_key=row.has_key,
        created_at=user.created_at,
    )
