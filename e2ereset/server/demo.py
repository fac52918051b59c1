"""Demo users, and a line to paste that really resets a key."""

import json
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import click
import pyotp
from flask import current_app
from flask.cli import with_appcontext

from e2ereset import Account, Caller, Runtime
from e2ereset.cli.base import Commands, Output, as_json, emit, find_operator, prints
from e2ereset.errors import E2EResetError
from e2ereset.files import private
from e2ereset.vault.service import Pair

from .listen_address import url_of
from .people.accounts import find_account, get_account
from .people.acts import Acting
from .people.administration import add_user
from .people.password_hashing import PasswordHasher
from .people.service import NewPerson, list_people
from .sessions.service import Sessions, current_sessions

PEOPLE = {"alice": "user", "bob": "user", "carol": "admin"}
PASSWORD_BYTES = 12


class NoDemo(E2EResetError):
    """The database is not one that `e2ereset demo` has filled."""


@click.group("demo", cls=Commands, invoke_without_command=True)
@click.option("--url", default=url_of, help="Of the server. Default: by HOST and PORT.")
@click.option("--yes", is_flag=True, help="Make them beside other users, too.")
@click.option("--if-empty", is_flag=True, help="Do nothing where there are other users.")
@as_json
@click.pass_context
@with_appcontext
def demo(ctx: click.Context, /, *, url: str, yes: bool, if_empty: bool, json_output: bool) -> None:
    """Make the demo users alice, bob and carol, and print how to reset a key.

    One of them is an administrator whose password is printed: not for a server that is in use.
    """
    if ctx.invoked_subcommand is not None:
        return
    sessions = current_sessions()
    if if_empty and not yes and _is_in_use(sessions.runtime):
        emit({"made": False}, ["There are users already: no demo was made."], json_output)
        return
    facts = prepare(sessions, beside_others=yes)
    facts["curl"] = _curl(url, facts)
    facts["console"] = f"{url}/admin/people"
    facts["pages"] = f"{url}{current_app.blueprints['e2ereset_pages'].url_prefix}/"
    emit(facts, _guide(url, facts), json_output)


@prints(demo.command("code"))
def code(runtime: Runtime) -> Output:
    """Print alice's present TOTP code."""
    present = pyotp.TOTP(_load()["totpSecret"]).at(int(runtime.clock()))
    return {"code": present}, [present]


def prepare(sessions: Sessions, *, beside_others: bool = False) -> dict[str, Any]:
    """Make the users on the first call, a key of each and a live token of carol on every one.

    Raises NoDemo where there are other users, unless `beside_others`.
    """
    runtime = sessions.runtime
    acting = Acting(runtime=runtime, by=find_operator())
    now = acting.now
    with runtime.transactions.read() as session:
        is_made = any(find_account(session, name) for name in PEOPLE)
    if not is_made:
        if not beside_others and _is_in_use(runtime):
            raise NoDemo(
                "This database has users, so no demo is made: it has an administrator whose"
                " password is printed. Say --yes to make it all the same."
            )
        _make_people(sessions.hasher, Acting(runtime=runtime, by=find_operator("demo")))
    facts = _load()
    carol = _account(runtime, facts["userIds"]["carol"])
    for one in PEOPLE:
        pair = Pair(f"demo public key of {one}", "demo private key")
        account = _account(runtime, facts["userIds"][one])
        runtime.vault.set(Caller(account=account), pair, force=True, now=now)
    with runtime.transactions.begin() as session:
        token = sessions.add(session, carol.id, now)
        acting.note(session, "add-token", carol.id)
    ids = facts["userIds"]
    methods = {one: [*runtime.factors.status(ids[one]).history] for one in PEOPLE}
    return facts | {"authToken": token, "methods": methods}


def _make_people(hasher: PasswordHasher, acting: Acting) -> None:
    runtime, ids = acting.runtime, {}
    passwords = {name: runtime.entropy.token_urlsafe(PASSWORD_BYTES) for name in PEOPLE}
    with runtime.transactions.begin() as session:
        for name, role in PEOPLE.items():
            stored = hasher.hash(passwords[name])
            emails = [(f"{name}@example.org", True)]
            new = NewPerson(username=name, emails=emails, roles=[role], password_hash=stored)
            ids[name] = add_user(session, acting, new)
    alice = _account(runtime, ids["alice"])
    secret = runtime.factors.enrol_totp(alice, by=acting.operator).secret
    with open(_path(), "w", encoding="utf-8", opener=private) as file:
        json.dump({"userIds": ids, "passwords": passwords, "totpSecret": secret}, file, indent=2)


def _is_in_use(runtime: Runtime) -> bool:
    """Whether there are users, and none of them is of a demo that was made here."""
    with runtime.transactions.read() as session:
        return not _path().exists() and next(list_people(session), None) is not None


def _account(runtime: Runtime, user_id: str) -> Account:
    with runtime.transactions.read() as session:
        account = get_account(session, user_id)
    if account is None:
        raise NoDemo(f"{_path()} is of another database: remove it, or that database.")
    return account


def _path() -> Path:
    return Path(current_app.instance_path) / "demo.json"


def _load() -> dict[str, Any]:
    try:
        facts: dict[str, Any] = json.loads(_path().read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NoDemo(
            f"{_path()} is missing: this database has no demo users, or users of the same names."
        ) from None
    return facts


def _curl(url: str, facts: dict[str, Any]) -> str:
    return (
        f"curl -sS -X POST {shlex.quote(url + '/api/v1/users.resetE2EKey')}"
        f" -H 'X-User-Id: {facts['userIds']['carol']}' -H 'X-Auth-Token: {facts['authToken']}'"
        " -H 'x-2fa-method: password'"
        f" -H 'x-2fa-code: {PasswordHasher.digest(facts['passwords']['carol'])}'"
        """ -H 'Content-Type: application/json' -d '{"username": "bob"}'"""
    )


def _command() -> str:
    """What runs this program in the shell at hand."""
    program = Path(sys.executable).with_name("e2ereset")
    found = shutil.which("e2ereset")
    name = "e2ereset" if found and Path(found).samefile(program) else os.path.relpath(program)
    folder = os.environ.get("E2ERESET_INSTANCE")
    return f"E2ERESET_INSTANCE={shlex.quote(folder)} {name}" if folder else name


def _factor(name: str, methods: list[str]) -> str:
    """By what somebody proves who they are; `methods` are those that are on."""
    if name == "alice" and "totp" in methods:
        return f"TOTP: `{_command()} demo code`"
    return f"what you have set up ({', '.join(methods)})" if methods else "the password"


def _guide(url: str, facts: dict[str, Any]) -> list[str]:
    methods = facts["methods"]
    people = (
        f"  {name:6} {role:6} password {facts['passwords'][name]}"
        f"  second factor: {_factor(name, methods[name])}"
        for name, role in PEOPLE.items()
    )
    place = f"e2ereset on {url}/api/v1 - mails land in {current_app.instance_path}/mail"
    last = "carol resets bob's E2E key with this line:"
    if methods["carol"]:
        last = "With the password as her only second factor, carol would reset bob's E2E key:"
    pages = (
        f"Pages: {facts['pages']}",
        "  Sign in as bob, set up an authenticator app by its QR code, and reset his key.",
        f"Console: {facts['console']}",
        "  Sign in as carol, and reset somebody else's key.",
    )
    return [place, "", *people, "", *pages, "", last, "", facts["curl"], ""]
