"""`user token|tokens|unlock`: sign-ins and personal access tokens of a user, and their budgets."""

from typing import Any

import click

from e2ereset.cli.base import Output, table
from e2ereset.records import iso, iso_if_known
from e2ereset.server.people.acts import Change, OnAccount
from e2ereset.server.people.commands.base import on_account

from .login_budgets import LoginBudgets
from .service import Sessions, current_sessions
from .tokens import list_tokens

COLUMNS = {"kind": "kind", "createdAt": "made", "expiresAt": "ends", "name": "name"}


@on_account("token")
@click.option("--personal", metavar="LABEL", help="A personal access token, which never expires.")
@click.option("--bypass", is_flag=True, help="With --personal: it skips the second factor.")
def token(on: OnAccount, personal: str | None, bypass: bool) -> Output:
    """Make a token of NAME: a sign-in, or a personal access token. The owner is told."""
    if bypass and not personal:
        raise click.UsageError("--bypass needs --personal.")
    made = on.run(_make_token, current_sessions(), personal, bypass=bypass)
    data = {"userId": on.account.id, "authToken": made}
    return data, [f"X-User-Id: {on.account.id}", f"X-Auth-Token: {made}"]


@on_account("tokens")
@click.option("--end", is_flag=True, help="End them all, personal ones too.")
def tokens(on: OnAccount, end: bool) -> Output:
    """List the live sign-ins and personal tokens of NAME, without the tokens; or end them."""
    username = on.account.username
    if end:
        ended = on.run(_end_tokens)
        data = {"username": username, "ended": ended}
        return data, [f"{ended} sign-ins of {username} were ended."]
    with on.runtime.transactions.read() as session:
        rows = [_facts(row) for row in list_tokens(session, on.account.id, on.now)]
    return rows, table(map(_shown, rows), COLUMNS)


@on_account("unlock")
def unlock(on: OnAccount) -> Output:
    """Unlock the second factors and the password of NAME, and give all tries back."""
    unlocked = on.run(_unlock, current_sessions().budgets)
    words = "unlocked: " + ", ".join(unlocked) if unlocked else "nothing was locked"
    data = {"username": on.account.username, "unlocked": list(unlocked)}
    return data, [f"{on.account.username} can try again; {words}."]


def _make_token(change: Change, sessions: Sessions, label: str | None, bypass: bool) -> str:
    session, owner, now = change.session, change.account.id, change.now
    made = sessions.add(session, owner, now, name=label, bypass_two_factor=bypass)
    kind = "A sign-in" if label is None else f"A personal access token ({label})"
    skips = " that skips the second factor" if bypass else ""
    change.done("add-token", f"{kind}{skips} was made for you")
    return made


def _end_tokens(change: Change) -> int:
    if ended := change.end_sign_ins():
        words = "All your sign-ins and personal access tokens were ended"
        change.done("end-tokens", words, outcome=f"ended {ended}")
    return ended


def _unlock(change: Change, budgets: LoginBudgets) -> tuple[str, ...]:
    budgets.forget(change.session, change.account)
    unlock = change.runtime.factors.unlock_in
    return unlock(change.session, change.account, change.operator, at=change.now)


def _facts(row: Any) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "name": row.name,
        "createdAt": iso(row.created_at),
        "expiresAt": iso_if_known(row.expires_at),
        "bypassTwoFactor": row.bypass_two_factor,
    }


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    skips = ", skips the second factor" if row["bypassTwoFactor"] else ""
    return row | {"expiresAt": row["expiresAt"] or "never", "name": f"{row['name'] or '-'}{skips}"}
