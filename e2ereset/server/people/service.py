"""Users: make, find and list them, without any secret."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import bindparam, func, select, true
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload

from e2ereset.errors import E2EResetError
from e2ereset.factors.models import BackupCode, EmailFactor, Totp
from e2ereset.http import Page
from e2ereset.permissions.models import Role
from e2ereset.records import name_key
from e2ereset.server.roles.seeds import ROOM_ROLES
from e2ereset.vault.models import KeyPair

from .accounts import could_be_stored
from .models import Email, User, UserRole

# Meteor's alphabet for ids: no character looks like another.
ID_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTWXYZabcdefghijkmnopqrstuvwxyz"
ID_LENGTH = 17
USERNAME = re.compile(r"[0-9A-Za-z._-]{1,128}")
ADDRESS = re.compile(r"[^\s@,;<>\"\\]{1,64}@[^\s@,;<>\"\\]{1,189}")

OWN = Email.user_id == bindparam("owner")
ADDRESSES = select(Email.address, Email.verified).where(OWN).order_by(Email.id)
CODES = select(func.count()).select_from(BackupCode).where(BackupCode.account_id == User.id)
PEOPLE = (
    select(
        User,
        Totp.enabled_at.is_not(None),
        EmailFactor.account_id.is_not(None),
        KeyPair.account_id.is_not(None),
        CODES.scalar_subquery(),
    )
    .outerjoin(Totp, Totp.account_id == User.id)
    .outerjoin(EmailFactor, EmailFactor.account_id == User.id)
    .outerjoin(KeyPair, KeyPair.account_id == User.id)
    .options(selectinload(User.roles), selectinload(User.emails))
    .order_by(User.username_key)
)


class BadPerson(E2EResetError):
    """A name, an address or a role that no user can have; the text says which."""


class UnknownPerson(E2EResetError):
    """There is no user of this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPerson:
    """A user to be made; without a `password_hash` one can sign in by tokens only.

    An address is a text, or a pair of it and whether it is verified; `verified` is for the texts.
    `id` is one that the user has had elsewhere; None makes one.
    """

    username: str
    emails: Sequence[str | tuple[str, bool]] = ()
    verified: bool = False
    roles: Sequence[str] = ("user",)
    password_hash: str | None = field(default=None, repr=False)
    kind: str = "user"
    active: bool = True
    name: str | None = None
    """What people call it; None for the username."""
    profile: str | None = None
    id: str | None = None

    @property
    def addresses(self) -> list[tuple[str, bool]]:
        """The addresses, each with whether it is verified."""
        return [(one, self.verified) if isinstance(one, str) else one for one in self.emails]


def add_person(session: Session, new: NewPerson, now: int, entropy: Any) -> User:
    """Make a user; `entropy` is shaped like `secrets`, and makes the id.

    Raises BadPerson for a name, address or role that cannot be, or that somebody else has.
    """
    if not USERNAME.fullmatch(new.username):
        raise BadPerson("A username has 1 to 128 of: letters A-Z and a-z, digits, and . _ -")
    for address, _ in new.addresses:
        check_address(address)
    check_roles(session, new.roles)
    user = User(
        id=new.id or "".join(entropy.choice(ID_ALPHABET) for _ in range(ID_LENGTH)),
        username=new.username,
        username_key=name_key(new.username),
        name=new.name or new.username,
        profile=new.profile,
        password_hash=new.password_hash,
        active=new.active,
        kind=new.kind,
        created_at=now,
        emails=[
            Email(address=address, address_key=name_key(address), verified=verified)
            for address, verified in new.addresses
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
    """Raise BadPerson unless this is an e-mail address."""
    if not is_address(address):
        raise BadPerson(f"{address!r} is no e-mail address.")


def is_address(text: str) -> bool:
    """Whether it is an e-mail address that can be stored and found again."""
    # The key may be longer than the address: the small letter of \u0130 is two characters.
    return bool(ADDRESS.fullmatch(text)) and could_be_stored(name_key(text))


def check_roles(session: Session, roles: Sequence[str]) -> None:
    """Raise BadPerson for an unknown role; the text lists the known ones."""
    known = known_roles(session)
    for role in roles:
        if role not in known:
            raise BadPerson(f"There is no role {role!r}. Known: {', '.join(known)}.")


def known_roles(session: Session) -> list[str]:
    """The roles that users can have, highest first: not those that members of one room have."""
    names = session.scalars(select(Role.name).order_by(Role.rank.desc(), Role.name))
    return [name for name in names if name not in ROOM_ROLES]


def addresses_of(session: Session, user_id: str) -> list[tuple[str, bool]]:
    """The addresses of a user, oldest first, each with whether it is verified."""
    return [(row.address, row.verified) for row in session.execute(ADDRESSES, {"owner": user_id})]


@dataclass(frozen=True, slots=True)
class Person:
    """A user as an administrator sees one, with what the library keeps of the account."""

    user: User
    totp: bool
    email_2fa: bool
    has_key: bool
    backup_codes_left: int

    @property
    def roles(self) -> list[str]:
        """The names of the roles, sorted."""
        return [held.role for held in self.user.roles]

    @property
    def emails(self) -> list[dict[str, Any]]:
        """The addresses as on the wire, each with whether it is verified."""
        return [{"address": one.address, "verified": one.verified} for one in self.user.emails]


def list_people(session: Session) -> Iterator[Person]:
    """Every user, by username; read in batches."""
    for row in session.execute(PEOPLE.execution_options(yield_per=500)):
        yield Person(*row)


def get_person(session: Session, username: str) -> Person:
    """The user of this name, as `name_key` compares names. Raises UnknownPerson."""
    row = session.execute(PEOPLE.where(User.username_key == name_key(username))).first()
    if row is None:
        raise UnknownPerson(f"There is no user {username!r}.")
    return Person(*row)


def page_of_people(
    session: Session, page: Page, role: str | None = None
) -> tuple[list[Person], int]:
    """The users of this page, of all or of those who have the role; and how many they are."""
    has = User.id.in_(select(UserRole.user_id).where(UserRole.role == role)) if role else true()
    rows = PEOPLE.where(has).order_by(None).order_by(*page.order)
    total = session.scalar(select(func.count()).select_from(User).where(has)) or 0
    found = session.execute(rows.offset(page.offset).limit(page.limit))
    return [Person(*row) for row in found], total


def person_of(session: Session, user_id: str) -> Person:
    """The user of this id, as it is in this transaction. Raises UnknownPerson."""
    session.expire_all()
    person = find_person(session, user_id)
    if person is None:
        raise UnknownPerson("There is no such user.")
    return person


def find_person(session: Session, user_id: str) -> Person | None:
    """The user of this id; None when there is none."""
    row = session.execute(PEOPLE.where(User.id == user_id)).first()
    return None if row is None else Person(*row)
