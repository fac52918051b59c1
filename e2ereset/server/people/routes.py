"""`users.*`: who there is, and what is done to accounts."""

from flask import Blueprint, Response

from e2ereset.http import Described, Gates, envelope, read_page

from . import answers, schemas
from .directory import SORTED_BY, Directory, NoSuchPerson


def make_routes(directory: Directory, gates: Gates, *, url_prefix: str) -> Blueprint:
    """The routes, below the prefix."""
    blueprint = gates.blueprint("people", url_prefix=url_prefix)
    add_directory(blueprint, directory, gates)
    return blueprint


def add_directory(blueprint: Blueprint, directory: Directory, gates: Gates) -> None:
    """Put `users.info` and `users.list` on the blueprint."""

    @blueprint.get("/users.info")
    @Described(query=schemas.INFO, answer=answers.ONE_USER, refuses=(NoSuchPerson,))
    def info() -> Response:
        """One user, as far as the caller may see it."""
        with gates.entered("users.info") as asked:
            by, name = schemas.selected(gates.query(schemas.INFO))
            gates.rate_limit("read")
            user = directory.info(asked.caller, by, name)
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
