"""The users of a SQLAlchemy model, as e2ereset sees them."""

import logging
import secrets
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from hashlib import sha256
from threading import BoundedSemaphore
from typing import Any, Literal

from sqlalchemy import inspect, select, update
from sqlalchemy.exc import NoInspectionAvailable
from sqlalchemy.orm import Session

from e2ereset.errors import SettingsError
from e2ereset.hashes import is_known, opens, taken
from e2ereset.records import Account, Reader, name_key

from .parts import Part, is_storable, key_of, reader_of_ids, roles_of, same_name, value_of

SEVERAL = 20
"""How many rows are looked at when several may have one name."""
NEW_KEY = 16
"""Bytes of a new session key; it has twice as many characters."""
IN_SQL = ("id", "username", "name_key", "email", "session_key", "language")

log = logging.getLogger(__name__)


@dataclass(repr=False, eq=False)
class SQLAlchemyAccounts:
    """`ports.Accounts` for the users of a model, with addresses and plain passwords.

    Each part is named by an attribute of the model (`"email"`), by a column (`User.email`), or by a
    function of the user; `id`, `username`, `name_key`, `email`, `session_key` and `language` by no
    function.

    `id`: the primary key or another value that never changes: int, str, UUID, or what `id_type`
    makes of a text. `username` is compared as `name_key` compares; give a column of these keys as
    `name_key`, see docs/embedding.md. `email` counts where `verified` is true, and is refused
    without; `verified=True` says that all are. `password`: a hash of werkzeug, bcrypt or argon2, of
    the password itself, or with `hashed="sha256"` of its SHA-256 hex. `check`: whether
    (password, hash) fit, for other hashes.
    `roles`: a text, or a list of texts or of objects with a `name`. `active`: all are, without it.
    `session_key`: a text that a live sign-in must know; a reset writes a new one. `language`, such
    as `de`, is read and, where its owner chooses another one, written; `zone` is the time zone.
    `at_once`: how many passwords are hashed at the same time. Raises SettingsError for what is not
    there.
    """

    model: type[Any]
    _: KW_ONLY
    id: Part = "id"
    username: Part = "username"
    name_key: Part | None = None
    email: Part | None = None
    verified: Part | bool | None = None
    password: Part | None = None
    hashed: Literal["plain", "sha256"] = "plain"
    check: Callable[[str, str], bool] | None = None
    roles: Part | None = None
    active: Part | bool = True
    session_key: Part | None = None
    language: Part | None = None
    zone: Part | None = None
    id_type: Callable[[str], Any] | None = None
    at_once: int = 3
    # Methods that there are only with their parts.
    end_sessions: Callable[[Session, str], int] | None = field(init=False, default=None)
    reader: Callable[[Session, str], Reader | None] | None = field(init=False, default=None)
    set_language: Callable[[Session, str, str], None] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        try:
            inspect(self.model)
        except NoInspectionAvailable:
            raise SettingsError(f"{self.model!r} is no model of SQLAlchemy.") from None
        if self.hashed not in ("plain", "sha256"):
            raise SettingsError(f'hashed is {self.hashed!r}. Write "plain" or "sha256".')
        for name in (*IN_SQL, "verified", "password", "roles", "active", "zone"):
            key = key_of(self.model, name, getattr(self, name), in_sql=name in IN_SQL)
            setattr(self, name, key)
        if self.email is not None and self.verified is None:
            raise SettingsError(
                "email counts where it is verified. Name what tells that as verified="
                ", or write verified=True where every address is."
            )
        self._read_id = self.id_type or reader_of_ids(self._column(self.id))
        self._turns = BoundedSemaphore(self.at_once)
        if self.session_key is not None:  # only then a reset is said to end sign-ins
            self.end_sessions = self._end_sessions
        if self.language is not None:
            self.reader, self.set_language = self._reader, self._set_language

    def get(self, session: Session, account_id: str) -> Account | None:
        """The account of this id; None when there is none."""
        return self.account(self._user(session, account_id))

    def find(self, session: Session, username: str) -> Account | None:
        """The account of this username; None when there is none, or more than one."""
        by = self.username if self.name_key is None else self.name_key
        found = self._named(session, by, username, keys=self.name_key is not None)
        return _only([account for account in found if account.is_named(username)])

    def find_by_email(self, session: Session, address: str) -> Account | None:
        """The account that owns this verified address; None when there is none, or several."""
        if self.email is None:
            return None
        key, found = name_key(address), self._named(session, self.email, address)
        return _only([account for account in found if key in map(name_key, account.emails)])

    def check_password(self, session: Session, account_id: str, digest: str) -> bool:
        """Whether this is the SHA-256 hex of the password. No, where the hash is of the password.

        Raises Busy while as many passwords are hashed as may be at once.
        """
        return self.hashed == "sha256" and self._opens(session, account_id, digest)

    def check_plain_password(self, session: Session, account_id: str, password: str) -> bool:
        """Whether this is the password. Raises Busy as `check_password` does."""
        if self.hashed == "sha256":
            password = sha256(password.encode("utf-8", "surrogatepass")).hexdigest()
        return self._opens(session, account_id, password)

    def account(self, user: Any) -> Account | None:
        """This user as an account; None for None."""
        if user is None:
            return None
        of = partial(value_of, user)
        stored, address = of(self.password), of(self.email)
        return Account(
            id=str(of(self.id)),
            username=of(self.username),
            emails=(address,) if address and of(self.verified) else (),
            roles=roles_of(of(self.roles)),
            active=bool(of(self.active)),
            has_password=bool(stored) if self.check else is_known(stored),
            password_by_page=self.hashed == "plain",
        )

    def _end_sessions(self, session: Session, account_id: str) -> int:
        """End every sign-in of the account, in the transaction of the reset: 1, or 0."""
        return self._write(session, account_id, self.session_key, secrets.token_hex(NEW_KEY))

    def _reader(self, session: Session, account_id: str) -> Reader | None:
        user = self._user(session, account_id)
        if user is None:
            return None
        language, zone = value_of(user, self.language), value_of(user, self.zone)
        return Reader(language=str(language or ""), zone=str(zone or ""))

    def _set_language(self, session: Session, account_id: str, language: str) -> None:
        self._write(session, account_id, self.language, language)

    def _write(self, session: Session, account_id: str, part: Any, value: str) -> int:
        """Write this part of the account's user; how many there are, 1 or 0."""
        mine = self._column(self.id) == self._read_id(account_id)
        done: Any = session.execute(update(self.model).where(mine).values({part: value}))
        return int(done.rowcount)

    def _user(self, session: Session, account_id: str) -> Any:
        try:
            value = self._read_id(account_id)
        except ValueError:
            return None
        mine = self._column(self.id) == value
        return session.scalars(select(self.model).where(mine)).unique().one_or_none()

    def _named(
        self, session: Session, part: Any, text: str, *, keys: bool = False
    ) -> list[Account]:
        """Those of whom this part may be the text, or with `keys` is its key."""
        if not is_storable(text):
            return []
        column = self._column(part)
        same = column == name_key(text) if keys else same_name(session, self.model, column, text)
        rows = session.scalars(select(self.model).where(same).limit(SEVERAL)).unique()
        return [account for account in map(self.account, rows) if account]

    def _opens(self, session: Session, account_id: str, secret: str) -> bool:
        user = self._user(session, account_id)
        stored = value_of(user, self.password) if user is not None else None
        if not stored:
            return False
        with taken(self._turns):
            return self.check(secret, stored) if self.check else opens(secret, stored)

    def _column(self, key: Any) -> Any:
        return getattr(self.model, key)


def _only(found: list[Account]) -> Account | None:
    """The one that was found. None for two, as nobody knows who is meant."""
    if len(found) > 1:
        ids = ", ".join(sorted(account.id for account in found))
        log.error("The accounts %s have one name or address, so none is found by it.", ids)
        return None
    return next(iter(found), None)
