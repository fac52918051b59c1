"""The standalone server as an app: its configuration, its database, and what hangs on it."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from e2ereset import E2EReset, Runtime, get_e2ereset
from e2ereset.cli.base import Commands
from e2ereset.http import envelope
from e2ereset.libraries import check_types
from e2ereset.operations.routes import operations_of
from e2ereset.pages.flow import wants_page
from e2ereset.pages.site import Site, find_site

from . import logs
from .accounts import ServerAccounts
from .config import configured_app
from .console.page_routes import make_pages as make_console
from .database import connect
from .forwarded_for import Proxied
from .migrations import check_migrations
from .people.new_passwords import EXTENSION as NEW_PASSWORDS
from .people.new_passwords import NewPasswords
from .people.page_routes import make_pages as make_own_account
from .people.password_hashing import PasswordHasher
from .people.routes import make_people
from .people.routes import make_routes as make_people_routes
from .people.verification_routes import make_page
from .request_log import log_requests, note_caller
from .roles.routes import make_routes as make_role_routes
from .rooms.acts import Acts
from .rooms.groups import Groups
from .rooms.keys.dead import DeadRooms
from .rooms.keys.lacking import Lacking
from .rooms.keys.page_routes import make_page as make_readable
from .rooms.keys.readability import Readability
from .rooms.keys.restart import Restarts
from .rooms.keys.routes import make_routes as make_room_key_routes
from .rooms.keys.service import RoomKeys
from .rooms.memberships import own_subscriptions
from .rooms.reading import Reading
from .rooms.routes import make_routes as make_room_routes
from .sessions.page_routes import HOME
from .sessions.page_routes import make_pages as make_sign_in
from .sessions.routes import identify, make_routes
from .sessions.service import EXTENSION as SESSIONS
from .sessions.service import Sessions
from .settings import ServerSettings, load_server_settings

API, PAGES = "/api/v1", "/security"


def create_app(
    config: Mapping[str, Any] | None = None, *, clock: Callable[[], float] = time.time
) -> Flask:
    """The server, configured by defaults, `config.py`, the environment and `config`, in this order.

    Raises SettingsError for a setting that is unknown, unsafe or of the wrong type.
    """
    app = configured_app(config or {})
    check_types(app.config)
    settings = load_server_settings(app.config)
    logs.set_up(settings.log_format, settings.log_level)
    log_requests(app, trust_id=settings.trust_request_id)
    hasher = PasswordHasher(settings.bcrypt_cost, at_once=settings.hashes_at_once)
    app.config.setdefault("E2ERESET_SIGN_IN_PAGE", "sign_in.sign_in")
    if settings.public_url:
        app.config.setdefault("E2ERESET_PAGES_URL", f"{settings.public_url}{PAGES}")
    db = connect(app, settings.database_connections)
    E2EReset(
        app,
        db=db,
        accounts=ServerAccounts(hasher),
        identify=lambda: note_caller(identify(get_e2ereset(app))),
        url_prefix=API,
        sign_in_headers=("X-User-Id", "X-Auth-Token"),
        areas=("reset", "keys", "factors", "pages"),
        pages_prefix=PAGES,
        clock=clock,
    )
    hasher.meter = operations_of(app).meter
    operations_of(app).health.add("migrations", check_migrations)
    _add_subjects(app, hasher, settings)
    envelope.handle_errors(app)
    _show_errors(app, find_site(app))
    del app.cli.commands["e2ereset"]  # at the top level, with those of the server
    app.cli = Commands(commands=app.cli.commands, found_in="e2ereset.server.cli:GROUPS")
    if settings.proxy_hops:
        app.wsgi_app = Proxied(app.wsgi_app, settings.proxy_hops)  # type: ignore[method-assign]
    return app


def _add_subjects(app: Flask, hasher: PasswordHasher, settings: ServerSettings) -> None:
    runtime, site = get_e2ereset(app), find_site(app)
    passwords = app.extensions[NEW_PASSWORDS] = NewPasswords(hasher, settings.shortest_password)
    people = make_people(runtime, passwords, own_subscriptions, public_url=settings.public_url)
    app.register_blueprint(make_people_routes(people, runtime.gates, url_prefix=API))
    app.register_blueprint(make_page(people.verification, runtime.gates, site))
    app.register_blueprint(make_role_routes(runtime, url_prefix=API))
    sessions = Sessions(runtime=runtime, hasher=hasher, settings=settings)
    app.extensions[SESSIONS] = sessions
    app.register_blueprint(make_routes(sessions, runtime.gates, url_prefix=API))
    app.register_blueprint(make_sign_in(sessions, site))
    app.register_blueprint(make_own_account(people.own_account, people.verification, site))
    app.register_blueprint(make_console(site))
    _add_rooms(app, runtime)


def _show_errors(app: Flask, site: Site) -> None:
    """Answer a browser whose address has no page, or a faulty one; the API has its envelope."""

    def shows() -> bool:
        return wants_page() and not f"/{request.path.lstrip('/')}".startswith(f"{API}/")

    def fail(fault: Exception) -> AnyResponse:
        return site.faulty(fault) if shows() else envelope.faulty(fault)

    def lead(error: HTTPException) -> AnyResponse:
        """To My security from `/`, else to a page that says what is missing."""
        if not shows():
            return envelope.http_failure(error)
        return site.go(HOME) if request.path == "/" else site.missing(error.code or 404)

    for status in (404, 405):
        app.register_error_handler(status, lead)
    app.register_error_handler(Exception, fail)


def _add_rooms(app: Flask, runtime: Runtime) -> None:
    acts, lacking = Acts(runtime), Lacking(runtime.transactions)
    reading, readability = Reading(runtime.transactions), Readability(acts)
    restarts = Restarts(acts)
    rooms = make_room_routes(Groups(acts), reading, runtime.gates, url_prefix=API)
    keys = make_room_key_routes(
        RoomKeys(acts),
        lacking,
        restarts,
        readability,
        gates=runtime.gates,
        url_prefix=API,
    )
    app.register_blueprint(make_readable(readability, DeadRooms(restarts), find_site(app)))
    app.register_blueprint(rooms)
    app.register_blueprint(keys)
