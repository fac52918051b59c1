"""`users.*`: who there is, and what is done to accounts."""

from dataclasses import dataclass

from flask import Blueprint, Response

from e2ereset import Runtime
from e2ereset.errors import NotAllowed, TargetParamMissing, UnknownTarget
from e2ereset.http import Described, Gates, envelope, read_page
from e2ereset.permissions.schemas import target_named

from . import answers, refusals, schemas
from .changes import ACTIVATE, DELETE, AccountChanges
from .directory import SORTED_BY, Directory, MembershipsOf, NoSuchPerson
from .new_accounts import NewAccounts
from .new_passwords import NewPasswords
from .own_account import UPDATE as UPDATE_OWN
from .own_account import OwnAccount
from .updates import UPDATE, Updates
from .verification import Verification
from .verification_routes import add_sending

VALUES = (
    refusals.ActionNotAllowed,
    NotAllowed,
    refusals.BadName,
    refusals.FieldRequired,
    refusals.FieldInvalid,
    refusals.FieldUnavailable,
    refusals.PasswordPolicy,
)
NEW = (*VALUES, refusals.NameBlocked)
CHANGED = (
    *VALUES,
    refusals.PersonGone,
    refusals.IdentityNotSaved,
    refusals.AdminRequired,
    refusals.UserLastOwner,
    refusals.AddressNeeded,
)
OWN = (
    NotAllowed,
    refusals.BadName,
    refusals.FieldRequired,
    refusals.FieldInvalid,
    refusals.FieldUnavailable,
    refusals.IdentityNotSaved,
    refusals.AddressNeeded,
    refusals.PasswordPolicy,
)
TARGET = (UnknownTarget, NotAllowed, refusals.AdminRequired, refusals.UserLastOwner)


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """The services of accounts, for their routes."""

    changes: AccountChanges
    directory: Directory
    new_accounts: NewAccounts
    own_account: OwnAccount
    updates: Updates
    verification: Verification


def make_people(
    runtime: Runtime, passwords: NewPasswords, memberships: MembershipsOf, *, public_url: str
) -> People:
    """The services of one app. `memberships` are those of a user in rooms, as on the wire."""
    return People(
        changes=AccountChanges(runtime=runtime),
        directory=Directory(runtime=runtime, memberships=memberships),
        new_accounts=NewAccounts(runtime=runtime, passwords=passwords),
        own_account=OwnAccount(runtime=runtime, passwords=passwords),
        updates=Updates(runtime=runtime, passwords=passwords),
        verification=Verification(runtime=runtime, public_url=public_url),
    )


def make_routes(people: People, gates: Gates, *, url_prefix: str) -> Blueprint:
    """The routes, below the prefix."""
    blueprint = gates.blueprint("people", url_prefix=url_prefix)
    add_directory(blueprint, people.directory, gates)
    add_administration(blueprint, people, gates)
    add_ends(blueprint, people, gates)
    add_own(blueprint, people.own_account, gates)
    add_sending(blueprint, people.verification, gates)
    return blueprint


def add_directory(blueprint: Blueprint, directory: Directory, gates: Gates) -> None:
    """Put `users.info` and `users.list` on the blueprint."""

    @blueprint.get("/users.info")
    @Described(query=schemas.INFO, answer=answers.ONE_USER, refuses=(NoSuchPerson,))
    def info() -> Response:
        """One user, as far as the caller may see it."""
        with gates.entered("users.info") as asked:
            query = gates.query(schemas.INFO)
            by, name = schemas.selected(query)
            gates.rate_limit("read")
            rooms = query.get("includeUserRooms", False)
            user = directory.info(asked.caller, by, name, rooms=rooms)
        return envelope.success(user=user)

    @blueprint.get("/users.list")
    @Described(query=schemas.LIST, answer=answers.USER_LIST, permissions=("view-d-room",))
    def list_users() -> Response:
        """A page of the users, by username."""
        with gates.entered("users.list") as asked:
            gates.permit(asked, "view-d-room")
            query = gates.query(schemas.LIST)
            page = read_page(query, SORTED_BY, default="username")
            gates.rate_limit("read")
        users, total = directory.list(asked.caller, page)
        return envelope.success(users=users, **page.facts(len(users), total))


def add_administration(blueprint: Blueprint, people: People, gates: Gates) -> None:
    """Put what administrators do to accounts on the blueprint."""

    @blueprint.post("/users.create")
    @Described(body=schemas.CREATE, answer=answers.ONE_USER, refuses=NEW)
    def create() -> Response:
        """Make a user."""
        with gates.entered("add-user") as asked:
            body = gates.body(schemas.CREATE)
            gates.rate_limit("write")
        with gates.waking():
            user = people.new_accounts.create(asked, body)
        return envelope.success(user=user)

    @blueprint.post("/users.update")
    @Described(body=schemas.UPDATE, answer=answers.ONE_USER, step_up=True, refuses=CHANGED)
    def update() -> Response:
        """Change a user, behind the second factor of the caller."""
        with gates.entered(UPDATE) as asked:
            body = gates.body(schemas.UPDATE)
            gates.rate_limit()
        with gates.waking():
            user = people.updates.update(
                asked, body["userId"], body["data"], body["confirmRelinquish"]
            )
        return envelope.success(user=user)


def add_ends(blueprint: Blueprint, people: People, gates: Gates) -> None:
    """Put what ends or suspends an account on the blueprint."""

    @blueprint.post("/users.delete")
    @Described(
        body=schemas.DELETE,
        answer=answers.DELETED,
        permissions=(DELETE,),
        refuses=(TargetParamMissing, *TARGET),
    )
    def delete() -> Response:
        """Delete a user."""
        with gates.entered(DELETE) as asked:
            gates.permit(asked, DELETE)
            body = gates.body(schemas.DELETE)
            named = target_named(body)
            if named is None:
                raise TargetParamMissing()
            gates.rate_limit("write")
        with gates.waking():
            rooms = people.changes.delete(asked, named, relinquish=body["confirmRelinquish"])
        return envelope.success(deletedRooms=rooms)

    @blueprint.post("/users.setActiveStatus")
    @Described(
        body=schemas.ACTIVE, answer=answers.ONE_USER, permissions=(*ACTIVATE,), refuses=TARGET
    )
    def set_active_status() -> Response:
        """Let a user sign in, or not any more."""
        with gates.entered("set-active") as asked:
            gates.permit_any(asked, *ACTIVATE)
            body = gates.body(schemas.ACTIVE)
            gates.rate_limit("write")
        user_id, active = body["userId"], body["activeStatus"]
        with gates.waking():
            confirmed = body["confirmRelinquish"]
            people.changes.set_active(asked, user_id, active, relinquish=confirmed)
        return envelope.success(user={"_id": user_id, "active": active})


def add_own(blueprint: Blueprint, own_account: OwnAccount, gates: Gates) -> None:
    """Put what people change of themselves on the blueprint."""

    @blueprint.post("/users.updateOwnBasicInfo")
    @Described(body=schemas.OWN, answer=answers.ONE_USER, step_up=True, refuses=OWN)
    def update_own() -> Response:
        """Change one's own account; another address or password is behind the second factor."""
        with gates.entered(UPDATE_OWN) as asked:
            body = gates.body(schemas.OWN)
            gates.rate_limit()
        with gates.waking():
            user = own_account.update(asked, body["data"])
        return envelope.success(user=user)
