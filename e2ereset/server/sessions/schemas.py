"""The body of a sign-in, in all the forms that published clients send."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import NoneType
from typing import Any

from e2ereset.server.people.password_hashing import PasswordHasher

HEX_DIGEST = re.compile(r"[0-9a-fA-F]{64}")
FIELDS = {"user", "username", "email", "password", "code"}
IDENTITIES = ("id", "username", "email")
TYPES: dict[str, tuple[type, ...]] = {
    "user": (str, dict),
    "username": (str,),
    "email": (str,),
    "password": (str, dict),
    "code": (str, NoneType),
    "resume": (str,),
    "totp": (dict,),
    "login": (dict,),
}
WORDS: dict[type, str] = {str: "string", dict: "object"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """A sign-in by a live token."""

    token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A sign-in by password. `by` says what `name` is: `id`, `username` or `email`.

    `code` is of `method`, which the page of the proof knows; of the preferred one where it is None.
    """

    by: str
    name: str
    digest: str = field(repr=False)
    code: str | None = field(default=None, repr=False)
    method: str | None = None


def read_credentials(body: Mapping[str, Any]) -> Resume | Credentials | None:
    """What `body` asks for; None when it has none of the known forms, or any further key."""
    match body:
        case {"resume": str(token), **rest} if not rest:
            return Resume(token=token)
        case {"totp": {"code": str(given), "login": dict(login), **more}, **rest} if not (
            rest or more or "code" in login
        ):
            body = {**login, "code": given}
    named, digest, code = _named(body), _digest(body.get("password")), body.get("code")
    if not (named and digest and isinstance(code, str | None) and body.keys() <= FIELDS):
        return None
    return Credentials(by=named[0], name=named[1], digest=digest, code=code or None)


def mistyped_field(body: Mapping[str, Any]) -> str | None:
    """The first field of `body` with a value of a wrong type, and which type it must have.

    None when all are right. It looks at the form only, so it reveals no account.
    """
    totp = body.get("totp")
    login = totp.get("login") if isinstance(totp, dict) else None
    parts = [part for part in (body, totp, login) if isinstance(part, Mapping)]
    for part in parts:
        for name, types in TYPES.items():
            if name in part and not isinstance(part[name], types):
                return f"{name} must be {' or '.join(WORDS[t] for t in types if t in WORDS)}"
    return None


def _named(body: Mapping[str, Any]) -> tuple[str, str] | None:
    by: Any
    name: Any
    match body:
        case {"user": str(name)}:
            by = "email" if "@" in name else "username"
        case {"user": {**one}} if len(one) == 1:
            ((by, name),) = one.items()
        case {"user": _}:
            return None
        case {"username": name}:
            by = "username"
        case {"email": name}:
            by = "email"
        case _:
            return None
    return (by, name) if by in IDENTITIES and isinstance(name, str) else None


def _digest(password: Any) -> str | None:
    match password:
        case str(plain):
            return PasswordHasher.digest(plain)
        case {"digest": str(digest), "algorithm": "sha-256", **rest} if not rest:
            return digest.lower() if HEX_DIGEST.fullmatch(digest) else None
        case _:
            return None
