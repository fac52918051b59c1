"""`roles.*` and `permissions.*`."""

from flask import Blueprint, Response

from e2ereset import Runtime
from e2ereset.errors import InvalidParams, NotAllowed, TargetParamMissing, UnknownTarget
from e2ereset.http import Described, Gates, envelope, read_page
from e2ereset.permissions.schemas import target_named
from e2ereset.server.people.directory import SORTED_BY
from e2ereset.server.people.refusals import ActionNotAllowed, AdminRequired

from . import answers, refusals, schemas
from .permissions import PermissionTable
from .service import ACCESS, CHANGE, Roles

GIVEN = (NotAllowed, refusals.RoleNotFound, refusals.HasRoleAlready)
TAKEN = (NotAllowed, refusals.NobodyOfThisName, refusals.NoSuchRole, refusals.HasNotRole)
CHANGES = (refusals.UnknownPermission, refusals.UnknownRole, NotAllowed)


def make_routes(runtime: Runtime, *, url_prefix: str) -> Blueprint:
    """The routes, below the prefix."""
    gates = runtime.gates
    blueprint = gates.blueprint("roles", url_prefix=url_prefix)
    add_roles(blueprint, Roles(runtime=runtime), gates)
    add_holders(blueprint, Roles(runtime=runtime), gates)
    add_list_of_holders(blueprint, Roles(runtime=runtime), gates)
    add_permissions(blueprint, PermissionTable(runtime=runtime), gates)
    add_grants(blueprint, PermissionTable(runtime=runtime), gates)
    return blueprint


def add_roles(blueprint: Blueprint, roles: Roles, gates: Gates) -> None:
    """Put the routes of the roles themselves on the blueprint."""

    @blueprint.get("/roles.list")
    @Described(query=schemas.NOTHING, answer=answers.ROLE_LIST)
    def list_roles() -> Response:
        """Every role."""
        with gates.entered("roles.list"):
            gates.query(schemas.NOTHING)
            gates.rate_limit("read")
        return envelope.success(roles=roles.list_all())

    @blueprint.post("/roles.create")
    @Described(
        body=schemas.NEW_ROLE,
        answer=answers.ONE_ROLE,
        refuses=(ActionNotAllowed, NotAllowed, refusals.BadRole, refusals.RoleNameTaken),
    )
    def create() -> Response:
        """Make a role, which holds nothing yet."""
        with gates.entered("add-role") as asked:
            try:
                body = gates.body(schemas.NEW_ROLE)
            except InvalidParams:
                raise refusals.BadRole() from None
            gates.rate_limit("write")
        with gates.waking():
            role = roles.create(asked, body)
        return envelope.success(role=role)


def add_holders(blueprint: Blueprint, roles: Roles, gates: Gates) -> None:
    """Put what gives and takes a role on the blueprint."""

    @blueprint.post("/roles.addUserToRole")
    @Described(
        body=schemas.ADD_USER,
        answer=answers.ONE_ROLE,
        refuses=(TargetParamMissing, UnknownTarget, ActionNotAllowed, *GIVEN),
    )
    def add_user() -> Response:
        """Give a user a role."""
        with gates.entered(CHANGE) as asked:
            body = gates.body(schemas.ADD_USER)
            named = target_named(body)
            if named is None:
                raise TargetParamMissing()
            gates.rate_limit("write")
        with gates.waking():
            role = roles.add_user(asked, named, body["roleId"])
        return envelope.success(role=role)

    @blueprint.post("/roles.removeUserFromRole")
    @Described(
        body=schemas.REMOVE_USER,
        answer=answers.ONE_ROLE,
        permissions=(ACCESS,),
        refuses=(*TAKEN, AdminRequired),
    )
    def remove_user() -> Response:
        """Take a role from a user."""
        with gates.entered(CHANGE) as asked:
            gates.permit(asked, ACCESS)
            body = gates.body(schemas.REMOVE_USER)
            gates.rate_limit("write")
        with gates.waking():
            role = roles.remove_user(asked, body["username"], body["roleId"])
        return envelope.success(role=role)


def add_list_of_holders(blueprint: Blueprint, roles: Roles, gates: Gates) -> None:
    """Put the list of who has a role on the blueprint."""

    @blueprint.get("/roles.getUsersInRole")
    @Described(
        query=schemas.HOLDERS,
        answer=answers.HOLDERS,
        permissions=(ACCESS,),
        refuses=(refusals.NoSuchRole,),
    )
    def users_in_role() -> Response:
        """A page of the users who have a role."""
        with gates.entered("roles.getUsersInRole") as asked:
            gates.permit(asked, ACCESS)
            query = gates.query(schemas.HOLDERS)
            page = read_page(query, SORTED_BY, default="username")
            gates.rate_limit("read")
            users, total = roles.holders(asked.caller, query["role"], page)
        return envelope.success(users=users, **page.facts(len(users), total))


def add_permissions(blueprint: Blueprint, permissions: PermissionTable, gates: Gates) -> None:
    """Put the whole table on the blueprint."""

    @blueprint.get("/permissions.listAll")
    @Described(query=schemas.SINCE, answer=answers.UPDATED, refuses=(refusals.BadDate,))
    def list_all() -> Response:
        """Every permission with its roles, or those that have changed since then."""
        with gates.entered("permissions.listAll"):
            since = schemas.read_since(gates.query(schemas.SINCE))
            gates.rate_limit("read")
        return envelope.success(update=permissions.list_all(since), remove=[])

    @blueprint.post("/permissions.update")
    @Described(
        body=schemas.PERMISSIONS,
        answer=answers.PERMISSION_LIST,
        permissions=(ACCESS,),
        refuses=(*CHANGES, ActionNotAllowed),
    )
    def update() -> Response:
        """Replace the roles of permissions."""
        with gates.entered("update-permissions") as asked:
            gates.permit(asked, ACCESS)
            body = gates.body(schemas.PERMISSIONS)
            gates.rate_limit("write")
        with gates.waking():
            wanted = {one["_id"]: one["roles"] for one in body["permissions"]}
            permissions.replace(asked, wanted)
        return envelope.success(permissions=permissions.list_all())


def add_grants(blueprint: Blueprint, permissions: PermissionTable, gates: Gates) -> None:
    """Put the routes that change one role of one permission on the blueprint."""

    @blueprint.post("/permissions.addRole")
    @Described(body=schemas.ONE_ROLE, permissions=(ACCESS,), refuses=CHANGES)
    def add_role() -> Response:
        """Give a role a permission."""
        return change(granted=True)

    @blueprint.post("/permissions.removeRole")
    @Described(body=schemas.ONE_ROLE, permissions=(ACCESS,), refuses=(*CHANGES, ActionNotAllowed))
    def remove_role() -> Response:
        """Take a permission from a role."""
        return change(granted=False)

    def change(*, granted: bool) -> Response:
        """What both do."""
        with gates.entered("update-permissions") as asked:
            gates.permit(asked, ACCESS)
            body = gates.body(schemas.ONE_ROLE)
            gates.rate_limit("write")
        with gates.waking():
            permissions.grant(asked, body["permissionId"], body["role"], granted=granted)
        return envelope.success()
