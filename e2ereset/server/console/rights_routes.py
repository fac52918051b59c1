"""The pages of permissions: which roles hold which, giving and taking."""

from flask import Blueprint, Response, request
from marshmallow.validate import Length, OneOf
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as AnyResponse

from e2ereset.errors import NotAllowed
from e2ereset.http import Text
from e2ereset.pages.refused import told
from e2ereset.pages.site import Form, Site
from e2ereset.records import Action
from e2ereset.server.people.refusals import ActionNotAllowed
from e2ereset.server.roles.permissions import PermissionTable
from e2ereset.server.roles.refusals import UnknownRole
from e2ereset.server.roles.service import ACCESS, Roles

UPDATE = "update-permissions"
GIVE, TAKE = "give", "take"


class ChangeForm(Form):
    """A role that is given or taken, or gets or loses a permission."""

    role = Text(required=True, validate=Length(max=255))
    act = Text(required=True, validate=OneOf([GIVE, TAKE]))


CHANGE = ChangeForm()


def add_routes(blueprint: Blueprint, site: Site) -> None:
    """Put the pages on the blueprint. All need `access-permissions`."""
    table, roles = PermissionTable(runtime=site.runtime), Roles(runtime=site.runtime)

    def names() -> list[str]:
        return [one["name"] for one in roles.list_all()]

    def permission_page(name: str, error: str = "", done: str = "") -> Response:
        """Every role, each with a button."""
        return site.page(
            "console_permission",
            status=400 if error else 200,
            name=name,
            held=_held(table, name),
            roles=names(),
            error=error,
            done=done,
        )

    @blueprint.get("/permissions")
    def list_permissions() -> Response:
        """List the permissions, each with the roles that hold it."""
        site.caller(ACCESS)
        permissions, of_users = table.list_all(), roles.of_users()
        return site.page("console_permissions", permissions=permissions, roles=of_users)

    @blueprint.get("/permissions/<name>")
    def show_permission(name: str) -> Response:
        """Show which roles hold a permission."""
        site.caller(ACCESS)
        done = site.translate("The change is made.") if "done" in request.args else ""
        return permission_page(name, done=done)

    @blueprint.post("/permissions/<name>")
    def change_permission(name: str) -> AnyResponse:
        """Give a role the permission, or take it, by the rules of the API and behind a proof."""
        asked = site.asked(Action(name=UPDATE), ACCESS)
        _held(table, name)  # nobody proves anything for what is not there
        form = site.form(CHANGE)
        if form["role"] not in names():
            raise UnknownRole()
        granted = form["act"] == GIVE
        try:
            with site.runtime.gates.waking():
                table.grant(asked, name, form["role"], granted=granted, proven=True)
        except (ActionNotAllowed, NotAllowed) as refusal:
            return permission_page(name, error=told(site.words(), refusal))
        return site.go(".show_permission", name=name, done=1)


def _held(table: PermissionTable, name: str) -> list[str]:
    """The roles that hold this permission. Raises NotFound for an unknown one."""
    for one in table.list_all():
        if one["_id"] == name:
            return list(one["roles"])
    raise NotFound()
