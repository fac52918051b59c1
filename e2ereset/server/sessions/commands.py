"""`user token|tokens`: sign-ins and personal access tokens of a user."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import click

from e2ereset import get_e2ereset
from e2ereset.audit import Operator
from e2ereset.cli import as_json, emit, with_reason
from e2ereset.records import iso
from e2ereset.server.people.acts import acting_as
from e2ereset.server.people.administration import end_tokens, make_token
from e2ereset.server.people.commands.base import find_account, user

from .tokens import list_tokens


@user.command("token")
@click.argument("name")
@click.option("--personal", metavar="LABEL", help="A personal access token, which never expires.")
@click.option("--bypass", is_flag=True, help="With --personal: it skips the second factor.")
@with_reason()
@as_json
def token(
    name: str,
    *,
    personal: str | None,
    bypass: bool,
    operator: Operator,
    json_output: bool,
) -> None:
    """Make a token of NAME: a sign-in, or a personal access token. The owner is told."""
    if bypass and not personal:
        raise click.UsageError("--bypass needs --personal.")
    account = find_account(name)
    made = make_token(acting_as(operator), account, label=personal, bypass=bypass)
    data = {"userId": account.id, "authToken": made}
    emit(data, [f"X-User-Id: {account.id}", f"X-Auth-Token: {made}"], json_output)


@user.command("tokens")
@click.argument("name")
@click.option("--end", is_flag=True, help="End them all, personal ones too.")
@with_reason()
@as_json
def tokens(name: str, end: bool, operator: Operator, json_output: bool) -> None:
    """List the live sign-ins and personal tokens of NAME, never what they are; or end them."""
    account = find_account(name)
    if end:
        ended = end_tokens(acting_as(operator), account)
        data = {"username": account.username, "ended": ended}
        emit(data, [f"{ended} sign-ins of {account.username} were ended."], json_output)
        return
    runtime = get_e2ereset()
    with runtime.transactions.read() as session:
        found = list_tokens(session, account.id, int(runtime.clock()))
    rows = [_facts(row) for row in found]
    emit(rows, _lines(rows), json_output)


def _facts(row: Any) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "name": row.name,
        "createdAt": iso(row.created_at),
        "expiresAt": None if row.expires_at is None else iso(row.expires_at),
        "bypassTwoFactor": row.bypass_two_factor,
    }


def _lines(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    yield f"{'kind':9} {'made':24} {'ends':24} name"
    for row in rows:
        skips = ", skips the second factor" if row["bypassTwoFactor"] else ""
        ends = row["expiresAt"] or "never"
        yield f"{row['kind']:9} {row['createdAt']:24} {ends:24} {row['name'] or '-'}{skips}"
