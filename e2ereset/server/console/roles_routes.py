"""The pages of roles: who has one, giving one to a person, and taking it."""

from flask import Blueprint, Response
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as AnyResponse

from e2ereset.errors import NotAllowed
from e2ereset.http import Page
from e2ereset.pages.refused import told
from e2ereset.pages.site import Site, page_number
from e2ereset.records import Action
from e2ereset.server.people.directory import SORTED_BY
from e2ereset.server.people.refusals import ActionNotAllowed, AdminRequired
from e2ereset.server.roles.permissions import PermissionTable
from e2ereset.server.roles.refusals import HasNotRole, HasRoleAlready, NoSuchRole
from e2ereset.server.roles.service import ACCESS, CHANGE, Roles

from .people import PAGE, Helping
from .people_routes import found, person_page, target_of
from .rights_routes import CHANGE as CHANGE_FORM
from .rights_routes import GIVE

REFUSED = (ActionNotAllowed, AdminRequired, HasNotRole, HasRoleAlready, NotAllowed, NoSuchRole)


def add_routes(blueprint: Blueprint, site: Site, helping: Helping) -> None:
    """Put the pages on the blueprint. All need `access-permissions`."""
    _add_list(blueprint, site, helping)
    _add_change(blueprint, site, helping)


def _add_list(blueprint: Blueprint, site: Site, helping: Helping) -> None:
    roles, table = Roles(runtime=site.runtime), PermissionTable(runtime=site.runtime)

    @blueprint.get("/roles/<path:name>")
    def show_role(name: str) -> Response:
        """List who has a role, and what it permits."""
        caller, number = site.caller(ACCESS), page_number()
        order = (SORTED_BY["username"].asc(),)
        page = Page(offset=(number - 1) * PAGE, limit=PAGE, order=order)
        try:
            people, total = roles.holders(caller, name, page)
        except NoSuchRole:
            raise NotFound() from None
        return site.page(
            "console_role",
            name=name,
            people=people,
            within=helping.among(caller, [one["_id"] for one in people]),
            permissions=[one["_id"] for one in table.list_all() if name in one["roles"]],
            number=number,
            following=number * PAGE < total,
        )


def _add_change(blueprint: Blueprint, site: Site, helping: Helping) -> None:
    roles = Roles(runtime=site.runtime)

    @blueprint.post("/people/<user_id>/roles")
    def change_roles(user_id: str) -> AnyResponse:
        """Give this person a role, or take it, by the rules of the API and behind a proof."""
        asked = site.asked(Action(name=CHANGE), ACCESS)
        caller, needed = asked.caller, (ACCESS,)
        target = target_of(site, helping, asked, user_id, permissions=needed)
        form = site.form(CHANGE_FORM)
        role, given = form["role"], form["act"] == GIVE
        # Nobody proves anything for a name that was made up, which a mail would tell.
        if given and role not in roles.of_users():
            error = site.translate("Choose a role that is in the list.")
            return person_page(site, helping, caller, target, error=error, field="role")
        if not given and role not in target.roles:
            error = told(site.words(), HasNotRole())
            return person_page(site, helping, caller, target, error=error)
        try:
            with site.runtime.gates.waking():
                roles.change(asked, target, role, given=given)
        except REFUSED as refusal:
            target = found(helping, caller, user_id, permissions=needed)
            error = told(site.words(), refusal)
            return person_page(site, helping, caller, target, error=error)
        if helping.find(caller, user_id, needed) is None:  # who ranks too high by now
            return site.go(".list_people", done="roles")
        return site.go(".show_person", user_id=user_id, done="roles")
