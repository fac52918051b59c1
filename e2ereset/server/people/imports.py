"""Import of users: each row of a file is checked, then stored or left out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from marshmallow import Schema, ValidationError, fields

from e2ereset.cli import rows
from e2ereset.cli.rows import Numbered
from e2ereset.errors import E2EResetError
from e2ereset.records import name_key

from .accounts import find_account, get_account
from .acts import Acting
from .password_hashing import can_verify
from .service import BadPerson, NewPerson, add_person

ADDRESS: dict[str, fields.Field[Any]] = {
    "address": fields.String(required=True),
    "verified": fields.Boolean(load_default=False),
}


class RowSchema(Schema):
    """A user in a file. `email` and `verified` are short for one address."""

    username = fields.String(required=True)
    email = fields.String()
    verified = fields.Boolean(load_default=False)
    emails = fields.List(fields.Nested(ADDRESS))
    roles = fields.List(fields.String(), load_default=["user"])
    password_hash = fields.String(allow_none=True, data_key="passwordHash")
    secret = fields.String(allow_none=True, data_key="totpSecret")
    active = fields.Boolean(load_default=True)


ROW = RowSchema()


@dataclass(slots=True, kw_only=True)
class Imported:
    """What became of the rows. `present`: users that existed, and were left as they are.

    `left_out` has for each row that was not stored its `line` in the file (the first is 1), its
    `username` and `why`.
    """

    stored: int = 0
    present: int = 0
    left_out: list[dict[str, Any]] = field(default_factory=list)


def read_csv(lines: Iterable[str]) -> Numbered:
    """The rows of a CSV file with a heading; roles are separated by spaces.

    Raises BadPerson for a column that is unknown, or there twice.
    """
    for number, row in rows.read_csv(lines, check=_check_columns):
        if row and "roles" in row:
            row["roles"] = row["roles"].split()
        yield number, row


def _check_columns(names: list[str]) -> None:
    known = {one.data_key or name for name, one in ROW.fields.items()} - {"emails"}
    if not names or not set(names) <= known or len(set(names)) < len(names):
        columns = ", ".join(sorted(known))
        raise BadPerson(f"The first line must name columns, each once, out of: {columns}.")


def import_users(
    acting: Acting, numbered: Iterable[tuple[int, Any]], *, dry_run: bool = False
) -> Imported:
    """Store the users of the rows, each in a transaction of its own, with its audit row.

    Nobody gets a mail. Users that exist are left as they are, so that it can run again.
    """
    done, seen = Imported(), set[tuple[str, str]]()
    for line, given in numbered:
        try:
            new, secret = _read(given)
            _check_once(new, seen)
            if _store(acting, new, secret, dry_run=dry_run):
                done.stored += 1
            else:
                done.present += 1
        except (E2EResetError, ValidationError) as fault:
            username = given.get("username") if isinstance(given, Mapping) else None
            left = {"line": line, "username": str(username or ""), "why": rows.words_of(fault)}
            done.left_out.append(left)
    return done


def _read(given: Any) -> tuple[NewPerson, str | None]:
    """The user of a row, and the secret of its TOTP. Raises BadRow, BadPerson, ValidationError."""
    row: dict[str, Any] = ROW.load(rows.fields_of(given))
    stored = row.get("password_hash")
    if stored is not None and not can_verify(stored):
        raise BadPerson("No password can be held against the passwordHash: bcrypt is needed.")
    emails = [(one["address"], one["verified"]) for one in row.pop("emails", ())]
    emails += [row.pop("email")] if "email" in row else []
    secret = row.pop("secret", None)
    return NewPerson(**row, emails=emails), secret


def _check_once(new: NewPerson, seen: set[tuple[str, str]]) -> None:
    """Raise BadPerson for a name or an address that came before in the file."""
    own = [("name", name_key(new.username))]
    own += [("address", name_key(address)) for address, _ in new.addresses]
    if not seen.isdisjoint(own) or len(set(own)) < len(own):
        raise BadPerson("The file has this username, or an address of it, twice.")
    seen.update(own)


def _store(acting: Acting, new: NewPerson, secret: str | None, *, dry_run: bool) -> bool:
    """Store a user; a dry run commits nothing. False when the username exists."""
    runtime = acting.runtime
    opened = runtime.transactions.read if dry_run else runtime.transactions.begin
    with opened() as session:
        if find_account(session, new.username):
            return False
        user_id = add_person(session, new, acting.now, runtime.entropy).id
        account = get_account(session, user_id)
        if secret and account:
            runtime.factors.enable_totp_in(session, account, secret, acting.now)
        acting.note(session, "import-user", user_id)
    return True
