"""The pages of whom one may help: the search, one person, and unlocking."""

from collections.abc import Collection
from dataclasses import replace

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as AnyResponse

from e2ereset import Account
from e2ereset.errors import UnknownTarget
from e2ereset.factors.enrolment import UNLOCK
from e2ereset.http import proof
from e2ereset.languages.words import N_
from e2ereset.pages.site import Site
from e2ereset.permissions.service import EDIT_OTHER_USER_E2EE, UNLOCK_OTHER_USER_FACTOR
from e2ereset.records import Action, ActionRequest, Caller, TargetName
from e2ereset.server.roles.service import ACCESS, Roles

from .people import ANY, Helping

LONGEST = 255
"""Characters of a search that are read."""
DONE = {"unlocked": N_("The factors are unlocked."), "roles": N_("The roles are changed.")}
"""What was just done, by the name that the page's address then carries."""


def add_routes(blueprint: Blueprint, site: Site, helping: Helping) -> None:
    """Put the pages on the blueprint."""

    @blueprint.get("/people")
    def list_people() -> Response:
        """List whom the caller may help."""
        caller = site.caller(*ANY)
        text, after = (request.args.get(name, "")[:LONGEST] for name in ("q", "after"))
        if not (text + after).isprintable():
            text = after = ""
        people, following = helping.search(caller, text.strip(), after)
        return site.page(
            "console_people",
            people=people,
            following=following,
            text=text,
            first=not after,
            done=_done(site),
        )

    @blueprint.get("/people/<user_id>")
    def show_person(user_id: str) -> Response:
        """Show what a reset of this person's key costs, the state of their factors, and roles."""
        caller = site.caller(*ANY)
        target = found(helping, caller, user_id, permissions=ANY)
        return person_page(site, helping, caller, target, done=_done(site))

    @blueprint.post("/people/<user_id>/unlock")
    def unlock_person(user_id: str) -> AnyResponse:
        """Unlock the factors of this person, behind the caller's own."""
        asked = site.asked(Action(name=UNLOCK), EDIT_OTHER_USER_E2EE)
        with site.runtime.gates.recorded(asked):
            site.runtime.gates.permit(asked, UNLOCK_OTHER_USER_FACTOR)
        named = TargetName(user_id=target_of(site, helping, asked, user_id).id)
        with site.runtime.gates.waking():
            site.runtime.unlocks.unlock(asked.caller, named, proof(), asked.now)
        return site.go(".show_person", user_id=user_id, done="unlocked")


def found(
    helping: Helping,
    caller: Caller,
    user_id: str,
    *,
    permissions: Collection[str] = (EDIT_OTHER_USER_E2EE,),
) -> Account:
    """The account that the caller may act on. Raises NotFound, also for somebody of higher rank.

    Raises MissingPermission unless the caller holds one of the permissions.
    """
    target = helping.find(caller, user_id, permissions) if user_id.isprintable() else None
    if target is None:
        raise NotFound()
    return target


def target_of(
    site: Site,
    helping: Helping,
    asked: ActionRequest,
    user_id: str,
    *,
    permissions: Collection[str] = (EDIT_OTHER_USER_E2EE,),
) -> Account:
    """`found`, for an act: that nobody was found leaves an audit row."""
    try:
        return found(helping, asked.caller, user_id, permissions=permissions)
    except NotFound:
        action = replace(asked.action, target=user_id if user_id.isprintable() else "")
        site.runtime.gates.note_refusal(replace(asked, action=action), UnknownTarget())
        raise


def person_page(
    site: Site, helping: Helping, caller: Caller, target: Account, **facts: str
) -> Response:
    """What there is to know of a person, and to do, as far as this caller may.

    The `facts` are what pages show of what was done, or of an `error`, at which the status is 400.
    """
    runtime, mine = site.runtime, caller.account.roles
    wanted = (EDIT_OTHER_USER_E2EE, UNLOCK_OTHER_USER_FACTOR, ACCESS)
    helps, unlocks, gives = (runtime.gates.allows(mine, one) for one in wanted)
    return site.page(
        "console_person",
        status=400 if "error" in facts else 200,
        account=target,
        state=helping.state(caller, target, int(runtime.clock())) if helps else None,
        unlocks=unlocks,
        givable=Roles(runtime=runtime).givable(caller, target) if gives else None,
        **facts,
    )


def _done(site: Site) -> str:
    words = DONE.get(request.args.get("done", ""), "")
    return site.translate(words) if words else ""
