"""Users who arrive: password, second factors, sign-ins and key pair come along."""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy.orm import Session

from e2ereset import Account
from e2ereset.cli.rows import BadRow
from e2ereset.factors.arrivals import take_email_factor, take_totp
from e2ereset.server.people.accounts import get_account
from e2ereset.server.people.password_hashing import can_verify
from e2ereset.server.people.profiles import merged
from e2ereset.server.people.service import NewPerson, add_person
from e2ereset.server.sessions.arrivals import keep_token
from e2ereset.vault.service import Pair

from .outcome import PRESENT, STORED, UNUSED, Arriving, Took
from .schemas import UserRow

USER = UserRow()
PERSONAL = "personalAccessToken"
SIGNING_IN = ("user", "bot", "app")
FEDERATED = "federated"


def take_user(arriving: Arriving, given: Mapping[str, Any]) -> Took:
    """Store a user with all that this server has a place for.

    A user of this id is left as it is. Visitors have no account.
    """
    row, acting = USER.load(given), arriving.acting
    if row["kind"] not in SIGNING_IN:
        return Took(UNUSED)
    with arriving.begin() as session:
        if get_account(session, row["id"]):
            return Took(PRESENT)
        user_id = add_person(session, _new(row), _made_at(row, acting.now), None).id
        account = get_account(session, user_id)
        assert account is not None  # noqa: S101 - it was added a moment ago
        without = (
            *_password(row),
            *_factors(session, arriving, account, row),
            *_tokens(session, arriving, account, _services(row, "resume").get("tokens", ())),
            *_pair(session, arriving, account, row["e2e"]),
        )
        acting.note(session, "import-user", user_id)
    return Took(STORED, without)


def _new(row: Mapping[str, Any]) -> NewPerson:
    """The user of a document. Raises BadRow."""
    if not row["roles"]:
        raise BadRow("It has no role, and without one nobody signs in.")
    password = _hash(row)
    if password is not None and not can_verify(password):
        raise BadRow("No password can be held against its hash: bcrypt is needed.")
    return NewPerson(
        id=row["id"],
        username=row["username"],
        name=row.get("name"),
        emails=[(one["address"], one["verified"]) for one in row["emails"]],
        roles=row["roles"],
        password_hash=password,
        kind=FEDERATED if row["federated"] else row["kind"],
        active=row["active"],
        profile=merged(None, row),
    )


def _made_at(row: Mapping[str, Any], now: int) -> int:
    return now if row["created_at"] is None else int(row["created_at"])


def _services(row: Mapping[str, Any], name: str) -> dict[str, Any]:
    """One of the ways of a user to sign in; `{}` where it is missing."""
    found: dict[str, Any] = row["services"].get(name, {})
    return found


def _hash(row: Mapping[str, Any]) -> str | None:
    password = _services(row, "password")
    found: str | None = password.get("bcrypt") or password.get("argon2")
    return found


def _password(row: Mapping[str, Any]) -> Iterator[str]:
    if _hash(row) is None and row["kind"] == "user":
        yield "It has no password: it has signed in by another service, which is not here."


def _factors(
    session: Session, arriving: Arriving, account: Account, row: Mapping[str, Any]
) -> Iterator[str]:
    """Store the second factors; what was left out."""
    runtime, now = arriving.acting.runtime, arriving.acting.now
    totp, email = _services(row, "totp"), _services(row, "email2fa")
    if totp.get("enabled") and totp.get("secret"):
        secret, codes = totp["secret"], totp["codes"]
        take_totp(session, runtime.factors, account, secret, now=now, hashed_codes=codes)
    elif totp.get("enabled"):
        yield "TOTP: it has no secret."
    elif totp.get("pending"):
        yield "TOTP: its enrolment was not finished."
    if email.get("enabled") and account.emails:
        changed_at = email["changed_at"]
        take_email_factor(session, account.id, now if changed_at is None else changed_at)
    elif email.get("enabled"):
        yield "Codes by e-mail: no address is verified."


def _tokens(
    session: Session, arriving: Arriving, account: Account, tokens: list[dict[str, Any]]
) -> Iterator[str]:
    """Store the live tokens; what was left out, each reason once."""
    now, left_out = arriving.acting.now, dict[str, int]()
    for token in tokens:
        made_at = token.get("created_at" if token.get("kind") == PERSONAL else "when", now)
        # A time to come would let a factor that is enrolled later count for it.
        created_at = min(made_at, now)
        ends_at = created_at + arriving.sign_in_seconds
        why = _why_dead(account, token, ends_at <= now)
        if not why and not _keep(session, account, token, created_at=created_at, ends_at=ends_at):
            why = "There is this token, or one of its name, already"
        if why:
            left_out[why] = left_out.get(why, 0) + 1
    for why, count in left_out.items():
        yield f"Tokens, {count}: {why}."


def _why_dead(account: Account, token: Mapping[str, Any], is_old: bool) -> str:
    """Why a token is not kept; "" for one that is."""
    personal = token.get("kind") == PERSONAL
    if "digest" not in token:
        return "They have no hash"
    if not account.active:
        return "The user is not active"
    if personal and not token.get("name"):
        return "They have no name"
    if not personal and ("kind" in token or "when" not in token):
        return "They are of an unknown kind"
    return "They have expired" if is_old and not personal else ""


def _keep(
    session: Session, account: Account, token: Mapping[str, Any], *, created_at: int, ends_at: int
) -> bool:
    personal = token.get("kind") == PERSONAL
    return keep_token(
        session,
        account.id,
        token["digest"],
        created_at=created_at,
        expires_at=None if personal else ends_at,
        name=token["name"] if personal else None,
        bypass_two_factor=bool(personal and token["bypass"]),
        last_part=token["last_part"] if personal else None,
    )


def _pair(
    session: Session, arriving: Arriving, account: Account, pair: Mapping[str, Any]
) -> Iterator[str]:
    public, private = pair.get("public_key"), pair.get("private_key")
    if public and private:
        now = arriving.acting.now
        arriving.acting.runtime.vault.add(session, account.id, Pair(public, private), now)
    elif public or private:
        yield "Key pair: half of it is missing."
