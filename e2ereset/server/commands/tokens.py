"""`user token`: sign-ins and personal access tokens of a user."""

from __future__ import annotations

import click

from e2ereset import get_e2ereset
from e2ereset.cli import as_json, emit
from e2ereset.server.sessions import NotActivated, current_sessions
from e2ereset.server.tokens import NewToken, add_token

from .base import find_account, user


@user.command("token")
@click.argument("name")
@click.option("--personal", metavar="LABEL", help="A personal access token, which never expires.")
@click.option("--bypass", is_flag=True, help="With --personal: it skips the second factor.")
@as_json
def token(name: str, personal: str | None, bypass: bool, json_output: bool) -> None:
    """Make a token of NAME: a sign-in, or a personal access token."""
    if bypass and not personal:
        raise click.UsageError("--bypass needs --personal.")
    runtime, account = get_e2ereset(), find_account(name)
    now = int(runtime.clock())
    with runtime.transactions.begin() as session:
        if personal:
            new = NewToken(
                user_id=account.id,
                created_at=now,
                expires_at=None,
                name=personal,
                bypass_two_factor=bypass,
            )
            made = add_token(session, new, runtime.entropy)
        else:
            made = current_sessions().add(session, account.id, now).token
    if made is None:
        raise NotActivated
    data = {"userId": account.id, "authToken": made}
    emit(data, [f"X-User-Id: {account.id}", f"X-Auth-Token: {made}"], json_output)
