"""Resetting the key of another person: the form, and what was done."""

from dataclasses import dataclass

from flask import Blueprint, Response
from marshmallow.validate import Length
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as AnyResponse

from e2ereset import Account, audit
from e2ereset.http import Text, proof
from e2ereset.pages.reset_routes import CHANGED
from e2ereset.pages.site import Form, Site
from e2ereset.permissions.service import EDIT_OTHER_USER_E2EE
from e2ereset.records import Action, Caller, TargetName
from e2ereset.reset.plan import PlanChanged
from e2ereset.reset.schemas import DIGEST
from e2ereset.reset.service import ACTION

from .people import Helping
from .people_routes import found, target_of

SHORTEST_REASON, LONGEST_REASON, LONGEST_TICKET = 10, 500, 80
LONGEST = 2000
DONE = ("reset", "nothing-to-reset")


class ResetForm(Form):
    """What is typed for a reset, and the digest of the plan that was shown.

    The bounds are those of `fault`, which has words for people.
    """

    plan = Text(required=True, validate=DIGEST)
    reason = Text(load_default="", validate=Length(max=LONGEST))
    ticket = Text(load_default="", validate=Length(max=LONGEST))
    username = Text(load_default="", validate=Length(max=LONGEST))


RESET = ResetForm()


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """Why a key is reset, each in one line."""

    reason: str = ""
    ticket: str = ""

    def __str__(self) -> str:
        """As it stands in the audit row, and in the mail to the owner."""
        return f"[{self.ticket}] {self.reason}" if self.ticket else self.reason


def add_routes(blueprint: Blueprint, site: Site, helping: Helping) -> None:
    """Put the pages on the blueprint."""
    gates = site.runtime.gates

    def ask(target: Account, grounds: Grounds, error: str = "", field: str = "") -> Response:
        """The page that asks for a reset."""
        now, status = int(gates.clock()), 400 if error else 200
        state = helping.state(site.caller(), target, now)
        facts = {"state": state, "grounds": grounds, "error": error, "field": field}
        return site.page("console_reset", status=status, **facts)

    @blueprint.get("/people/<user_id>/reset")
    def ask_for_reset(user_id: str) -> Response:
        """Ask for the reason, and for the username."""
        return ask(found(helping, site.caller(EDIT_OTHER_USER_E2EE), user_id), Grounds())

    @blueprint.post("/people/<user_id>/reset")
    def reset_person(user_id: str) -> AnyResponse:
        """Reset the key of this person, behind the caller's second factor."""
        asked = site.asked(Action(name=ACTION), EDIT_OTHER_USER_E2EE)
        target, form = target_of(site, helping, asked, user_id), site.form(RESET)
        grounds = Grounds(reason=_line(form["reason"]), ticket=_line(form["ticket"]))
        if wrong := fault(site, grounds, target, form["username"]):
            return ask(target, grounds, *wrong)
        named, given = TargetName(user_id=target.id), {"plan": form["plan"], "reason": str(grounds)}
        try:
            with gates.waking():
                site.runtime.resets.reset_key(asked.caller, named, proof(), asked.now, **given)
        except PlanChanged:
            return ask(target, grounds, site.translate(CHANGED))
        return site.go(".show_reset", user_id=user_id)

    @blueprint.get("/people/<user_id>/reset/done")
    def show_reset(user_id: str) -> Response:
        """Show the caller's newest reset of this person's key, with its receipt."""
        caller = site.caller(EDIT_OTHER_USER_E2EE)
        target = found(helping, caller, user_id)
        row = _newest(site, caller, target)
        if row is None:
            raise NotFound()
        return site.page("console_reset_done", target=target, row=row)


def fault(site: Site, grounds: Grounds, target: Account, typed: str) -> tuple[str, str] | None:
    """What is wrong with this form, and the field; None for nothing."""
    t = site.translate
    if not SHORTEST_REASON <= len(grounds.reason) <= LONGEST_REASON:
        return t("Give a reason of 10 to 500 characters."), "reason"
    if len(grounds.ticket) > LONGEST_TICKET:
        return t("Give a ticket of at most 80 characters."), "ticket"
    if not target.is_named(typed):
        return t("Type the username: %(name)s", name=target.username), "username"
    return None


def _newest(site: Site, caller: Caller, target: Account) -> dict[str, object] | None:
    me, them = caller.account.id, [target.id]
    with site.runtime.transactions.look_up() as session:
        rows = audit.helped(session, 1, caller=me, targets=them, actions=(ACTION,), outcomes=DONE)
    return rows[0] if rows else None


def _line(text: str) -> str:
    return " ".join(text.split())
