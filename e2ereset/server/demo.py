"""Users to try the server with, and a line to paste that really resets a key."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pyotp
from flask import current_app
from flask.cli import with_appcontext

from e2ereset import Account, Caller
from e2ereset.cli import Commands, as_json, emit
from e2ereset.errors import E2EResetError
from e2ereset.passwords import PasswordHasher
from e2ereset.runtime import Runtime, get_e2ereset
from e2ereset.services.keys import Pair

from .people import NewPerson, add_person
from .sessions import Sessions, current_sessions

PEOPLE = {"alice": "user", "bob": "user", "carol": "admin"}
PASSWORD_BYTES = 12


class NoDemo(E2EResetError):
    """The database is not one that `e2ereset demo` has filled."""


@click.group("demo", cls=Commands, invoke_without_command=True)
@click.option("--url", default="http://127.0.0.1:8000", show_default=True)
@as_json
@click.pass_context
@with_appcontext
def demo(ctx: click.Context, url: str, json_output: bool) -> None:
    """Make the demo users alice, bob and carol, and print how to reset a key."""
    if ctx.invoked_subcommand is None:
        facts = prepare()
        facts["curl"] = _curl(url, facts)
        emit(facts, _guide(url, facts), json_output)


@demo.command("code")
@as_json
def code(json_output: bool) -> None:
    """Print alice's present TOTP code."""
    now = int(get_e2ereset().clock())
    present = pyotp.TOTP(_load()["totpSecret"]).at(now)
    emit({"code": present}, [present], json_output)


def prepare() -> dict[str, Any]:
    """Make the users on the first call, a key for bob and a live token of carol on every one."""
    runtime, sessions = get_e2ereset(), current_sessions()
    now = int(runtime.clock())
    with runtime.transactions.read() as session:
        found = [sessions.accounts.find(session, name) for name in PEOPLE]
    if not any(found):
        _save(_make_people(runtime, sessions, now))
    facts = _load()
    bob, carol = (_account(runtime, facts["userIds"][name]) for name in ("bob", "carol"))
    pair = Pair("demo public key", "demo private key")
    runtime.vault.set(Caller(account=bob), pair, force=True, now=now)
    with runtime.transactions.begin() as session:
        signed_in = sessions.add(session, carol.id, now)
    return facts | {"authToken": signed_in.token}


def _make_people(runtime: Runtime, sessions: Sessions, now: int) -> dict[str, Any]:
    passwords = {name: runtime.entropy.token_urlsafe(PASSWORD_BYTES) for name in PEOPLE}
    ids = {}
    with runtime.transactions.begin() as session:
        for name, role in PEOPLE.items():
            new = NewPerson(
                username=name,
                emails=[f"{name}@example.org"],
                verified=True,
                roles=[role],
                password_hash=sessions.accounts.hasher.hash(passwords[name]),
            )
            ids[name] = add_person(session, new, now, runtime.entropy).id
    secret = runtime.factors.enrol_totp(_account(runtime, ids["alice"])).secret
    return {"userIds": ids, "passwords": passwords, "totpSecret": secret}


def _account(runtime: Runtime, user_id: str) -> Account:
    with runtime.transactions.read() as session:
        account = runtime.accounts.get(session, user_id)
    if account is None:
        raise NoDemo(f"{_path()} is of another database: remove it, or that database.")
    return account


def _path() -> Path:
    return Path(current_app.instance_path) / "demo.json"


def _save(facts: dict[str, Any]) -> None:
    _path().parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(_path(), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        json.dump(facts, file, indent=2)


def _load() -> dict[str, Any]:
    if not _path().exists():
        raise NoDemo(
            f"{_path()} is missing: this database has no demo users, or users of the same names."
        )
    facts: dict[str, Any] = json.loads(_path().read_text(encoding="utf-8"))
    return facts


def _curl(url: str, facts: dict[str, Any]) -> str:
    return (
        f"curl -sS -X POST {url}/api/v1/users.resetE2EKey"
        f" -H 'X-User-Id: {facts['userIds']['carol']}' -H 'X-Auth-Token: {facts['authToken']}'"
        " -H 'x-2fa-method: password'"
        f" -H 'x-2fa-code: {PasswordHasher.digest(facts['passwords']['carol'])}'"
        """ -H 'Content-Type: application/json' -d '{"username": "bob"}'"""
    )


def _guide(url: str, facts: dict[str, Any]) -> Iterator[str]:
    yield f"e2ereset on {url}/api/v1 - mails land in {current_app.instance_path}/mail"
    yield ""
    for name, role in PEOPLE.items():
        factor = "TOTP: `e2ereset demo code`" if name == "alice" else "the password"
        yield f"  {name:6} {role:6} password {facts['passwords'][name]}  second factor: {factor}"
    yield ""
    yield "carol resets bob's E2E key with this line:"
    yield ""
    yield facts["curl"]
    yield ""
