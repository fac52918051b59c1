"""`grant add|list|end`: tokens of machines that skip the second factor, within limits."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from e2ereset import Runtime
from e2ereset.audit import Operator
from e2ereset.cli.base import Commands, Output, prints, table, with_reason
from e2ereset.records import iso
from e2ereset.server.people.acts import Acting

from .service import ACTIONS, Limits, add_grant, end_grant, list_grants, read_network

LABEL = re.compile(r"[A-Za-z0-9._-]{1,64}")
LONGEST = timedelta(days=366)
COLUMNS = {
    "username": "user",
    "name": "grant",
    "actions": "may",
    "roles": "for",
    "networks": "from",
    "uses": "used today",
    "expiresAt": "ends",
}

grants = Commands("grant", help="Tokens of machines that skip the second factor, within limits.")


def _label(_ctx: click.Context, _option: click.Parameter, text: str) -> str:
    if not LABEL.fullmatch(text):
        raise click.BadParameter("A label has 1 to 64 of A-Z a-z 0-9 . _ -")
    return text


@prints(grants.command("add"))
@click.argument("name")
@click.argument("label", callback=_label)
@click.option("--action", "actions", multiple=True, required=True, type=click.Choice(ACTIONS))
@click.option("--role", "roles", multiple=True, required=True, help="Targets have no other role.")
@click.option("--from", "networks", multiple=True, required=True, metavar="ADDRESS|NETWORK")
@click.option("--per-day", type=click.IntRange(1, 10_000), required=True, help="Uses in a UTC day.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), required=True, help="The last day.")
@with_reason()
def add(
    runtime: Runtime, name: str, label: str, *, operator: Operator, until: datetime, **given: Any
) -> Output:
    """Make a token of NAME for a machine, with the grant LABEL. The owner is told."""
    on = Acting(runtime=runtime, by=operator).on(name)
    end = until.replace(tzinfo=UTC) + timedelta(days=1)
    if end - datetime.fromtimestamp(on.now, UTC) > LONGEST:
        raise click.BadParameter("A grant lasts a year at most.", param_hint="--until")
    networks = [read_network(text) for text in given.pop("networks")]
    limits = Limits(networks=networks, expires_at=int(end.timestamp()), **given)
    made = on.run(add_grant, label, limits)
    data = {"userId": on.account.id, "authToken": made, "grant": label}
    return data, [f"X-User-Id: {on.account.id}", f"X-Auth-Token: {made}"]


@prints(grants.command("list"))
def list_all(runtime: Runtime) -> Output:
    """List the live grants of all users, without their tokens."""
    with runtime.transactions.read() as session:
        rows = list_grants(session, int(runtime.clock()))
    rows = [row | {"expiresAt": iso(row["expiresAt"])} for row in rows]
    shown = [row | {"uses": f"{row['usedToday']} of {row['perDay']}"} for row in rows]
    return rows, table(shown, COLUMNS)


@prints(grants.command("end"))
@click.argument("name")
@click.argument("label")
@with_reason()
def end(runtime: Runtime, name: str, label: str, operator: Operator) -> Output:
    """End the grant LABEL of NAME, with its token. The owner is told."""
    on = Acting(runtime=runtime, by=operator).on(name)
    on.run(end_grant, label)
    username = on.account.username
    return {"username": username, "ended": label}, [f"The grant {label} of {username} has ended."]
