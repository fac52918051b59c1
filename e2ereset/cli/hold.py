"""`hold start|show|lift`: keeps a key from being reset for some days, in any host."""

from typing import Any

from e2ereset.audit import Operator
from e2ereset.records import iso, iso_if_known
from e2ereset.runtime import Runtime

from .base import Commands, Output, prints, with_reason
from .factor import find, of_account

hold = Commands("hold", help="Holds resets of an account's E2E key, whoever keeps the accounts.")


@prints(hold.command("start"))
@of_account
@with_reason()
def start(runtime: Runtime, operator: Operator, **account: Any) -> Output:
    """End the sign-ins of ACCOUNT, and let nobody reset the E2E key for 72 hours."""
    found, now = find(runtime, **account), int(runtime.clock())
    until = iso(runtime.resets.holds.hold_by_operator(operator, found.id, now))
    data = {"userId": found.id, "username": found.username, "heldUntil": until}
    return data, [f"Resets of {found.username}'s key are held until {until}; sign-ins were ended."]


@prints(hold.command("show"))
@of_account
def show(runtime: Runtime, **account: Any) -> Output:
    """Show until when resets of ACCOUNT's key are held, if they are."""
    found, now = find(runtime, **account), int(runtime.clock())
    until = iso_if_known(runtime.resets.holds.held_until(found.id, now))
    words = f"held until {until}" if until else "not held"
    data = {"userId": found.id, "username": found.username, "heldUntil": until}
    return data, [f"Resets of {found.username}'s key are {words}."]


@prints(hold.command("lift"))
@of_account
@with_reason()
def lift(runtime: Runtime, operator: Operator, **account: Any) -> Output:
    """Let the key of ACCOUNT be reset again; the owner is told."""
    found, now = find(runtime, **account), int(runtime.clock())
    lifted = runtime.resets.holds.lift_by_operator(operator, found.id, now)
    words = "not held any more" if lifted else "not held"
    data = {"userId": found.id, "username": found.username, "lifted": lifted}
    return data, [f"Resets of {found.username}'s key are {words}."]
