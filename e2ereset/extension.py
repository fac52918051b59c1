"""`E2EReset` puts the library into a Flask app. It only connects things; the app has all state."""

import logging
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import KW_ONLY, InitVar, dataclass, replace
from functools import partial
from importlib.util import find_spec
from typing import Any, TypeVar

from flask import Blueprint, Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, Engine, MetaData

from .audit import AuditTrail
from .cli import register_commands
from .crypto import KeyRing
from .errors import Refusal, SettingsError
from .factors import method_routes, own_routes
from .factors import routes as factors
from .factors.strategies import Strategy, resolve
from .guard import Answered
from .hostdb import ONE_OF, HostDatabase, database_of, plain_database
from .hosted import check_accounts, check_identify
from .http import CrossSite, Gates, Rates, bodies, document, envelope
from .http.rates import find_limiter, read_rates
from .http.strays import answer_strays
from .jobs import Queue
from .kept import models as _kept  # noqa: F401  # whose table is made with the others
from .languages import Languages
from .libraries import check_switches_meant_off
from .mail import Letterhead, Mailer, Message, Transport, make_templates
from .metrics import make_meter
from .operations.routes import watch
from .parts import Parts
from .ports import Accounts
from .records import Caller
from .reset import routes as reset
from .runtime import Runtime, make_runtime, words_of
from .settings import Settings, load_settings
from .signals import Announcer
from .store.transactions import Transactions
from .vault import routes as vault

AREAS = ("reset", "keys", "factors", "pages")
"""The groups of routes. A host has the resets alone, unless it switches others on."""

T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(repr=False, eq=False)
class E2EReset:
    """The extension. Either `E2EReset(app, ...)`, or `E2EReset(...)` and later `init_app(app)`.

    `db`: the host's Flask-SQLAlchemy object, initialised before. A host without one gives the
    `engine` and the `metadata` of its tables. `accounts`: its users, see `SQLAlchemyAccounts` and
    `e2ereset.ports`. `identify`: returns the caller who is signed in to this request, else None.
    If it has an `init_app`, that is given the app.
    `bind_key`: which of SQLALCHEMY_BINDS has our tables; None for the default database.
    `areas`: the groups of routes to add, of "reset", "keys", "factors" and "pages".
    `pages_prefix`: where the pages are.
    `sign_in_headers`: the headers of a sign-in, which the OpenAPI document names.
    `send`: delivers a `Message` by your own mailer, and raises when it cannot.
    `strategies`: classes that E2ERESET_METHODS may name. `clock` gives epoch seconds; `entropy` has
    the functions of `secrets`. One object may serve several apps.
    """

    app: InitVar[Flask | None] = None
    _: KW_ONLY
    db: SQLAlchemy | None = None
    engine: Engine | Connection | None = None
    metadata: MetaData | None = None
    accounts: Accounts
    identify: Callable[[], Caller | None]
    url_prefix: str = "/api/v1"
    name: str = "e2ereset"
    areas: Iterable[str] = ("reset",)
    pages_prefix: str = "/security"
    bind_key: str | None = None
    send: Callable[[Message], Any] | None = None
    strategies: Iterable[type[Strategy]] = ()
    clock: Callable[[], float] = time.time
    entropy: Any = secrets
    sign_in_headers: Iterable[str] = ()

    def __post_init__(self, app: Flask | None) -> None:
        self.areas = _check_areas(self.areas)
        self.url_prefix = _check_prefix("url_prefix", self.url_prefix)
        self.pages_prefix = _check_prefix("pages_prefix", self.pages_prefix)
        self.accounts = check_accounts(self.accounts, pages="pages" in self.areas)
        self.strategies = tuple(self.strategies)
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Put the routes, tables, commands and services into the app.

        Raises SettingsError or StrategyError for a setting that is wrong.
        """
        database = self._database(app)
        if "e2ereset" in app.extensions:
            raise SettingsError("This app has e2ereset already. Keep one E2EReset for each app.")
        check_switches_meant_off(app.config)
        if note_sign_ins := getattr(self.identify, "init_app", None):
            note_sign_ins(app)
        runtime = self._make(app, load_settings(app.config, name=app.name), database)
        app.extensions["e2ereset"] = runtime
        app.register_blueprint(self._routes(runtime))
        if "pages" in self.areas:
            _add_pages(app, runtime, self.pages_prefix)
        # This answers refusals in the host's own views, unless the host has a handler for them.
        if Refusal not in app.error_handler_spec[None][None]:
            app.register_error_handler(Refusal, envelope.failure)
        # With TRAP_HTTP_EXCEPTIONS Flask answers an HTTPException only if it has a handler.
        app.register_error_handler(Answered, Answered.get_response)
        answer_strays(app, self.url_prefix, runtime.gates.cross_site)
        app.teardown_request(bodies.drop_settled)
        if runtime.settings.delivery == "thread":
            app.before_request(runtime.ensure_running)
        register_commands(app)
        watch(app, runtime, self.name)
        if not runtime.settings.two_factor:
            log.warning("E2ERESET_TWO_FACTOR is off: every signed-in caller can reset keys.")

    def _database(self, app: Flask) -> HostDatabase:
        if self.db is None:
            return plain_database(self.engine, self.metadata, self.bind_key)
        if self.engine is not None or self.metadata is not None:
            raise SettingsError(ONE_OF)
        return database_of(app, self.db, self.bind_key)

    def _make(self, app: Flask, settings: Settings, database: HostDatabase) -> Runtime:
        parts = self._parts(app, settings, database)
        settings, clock = parts.settings, parts.clock
        limiter, rates = find_limiter(app, settings), read_rates(settings)
        gates = partial(
            Gates,
            settings=settings,
            clock=clock,
            identify=check_identify(self.identify, app.ensure_sync),
            rates=Rates(limiter=limiter, rates=rates, settings=settings, clock=clock),
            cross_site=CrossSite(settings),
        )
        letterhead = Letterhead(
            workspace=settings.workspace,
            templates=make_templates(settings.mail_templates),
            security_page=settings.pages_url and f"{settings.pages_url}/",
        )
        mailer = Mailer(
            Transport(app, self.send),
            sender=settings.mail_sender,
            letterhead=letterhead,
            words_of=partial(_in_context, app, partial(words_of, parts)),
        )
        return make_runtime(
            parts,
            strategies=resolve(settings.methods, parts, registered=self.strategies),
            mailer=mailer,
            gates=gates,
            in_context=partial(_in_context, app),
            # If the host gives a clock, as tests do, budgets use it too.
            by_database=self.clock is time.time,
        )

    def _parts(self, app: Flask, settings: Settings, database: HostDatabase) -> Parts:
        transactions = Transactions(database.binds())
        if settings.delivery == "thread" and not transactions.lasting:
            log.warning("The database is one connection in memory: no thread delivers mail.")
            settings = replace(settings, delivery="process")
        keyring = KeyRing(settings.secret_keys)
        return Parts(
            settings=settings,
            clock=self.clock,
            entropy=self.entropy,
            transactions=transactions,
            keyring=keyring,
            accounts=self.accounts,
            jobs=Queue(keyring),
            audit=AuditTrail(keyring, self.entropy),
            languages=Languages(settings.languages, settings.catalogues),
            meter=make_meter(settings.operations),
            announcer=Announcer(app),
        )

    def _routes(self, runtime: Runtime) -> Blueprint:
        gates = runtime.gates
        blueprint = gates.blueprint(self.name, url_prefix=self.url_prefix)
        reset_key = None
        if "reset" in self.areas:
            reset_key = runtime.resets.reset_key
            reset.add_routes(blueprint, runtime.resets, gates)
        if {"reset", "factors"} & set(self.areas):
            factors.add_routes(blueprint, runtime.codes, runtime.unlocks, gates)
        if "keys" in self.areas:
            vault.add_routes(blueprint, runtime.vault, runtime.resets.replace_key, gates)
        if "factors" in self.areas:
            status_of = runtime.factors.status
            own_routes.add_routes(blueprint, runtime.own_factors, status_of, gates)
            method_routes.add_routes(blueprint, runtime.own_factors, reset_key, gates)
        if runtime.settings.openapi:
            document.add_routes(blueprint, gates, sign_in=tuple(self.sign_in_headers))
        return blueprint


def _check_areas(areas: Iterable[str]) -> tuple[str, ...]:
    """The areas as they were given. Raises SettingsError for none, and for an unknown one."""
    named = (areas,) if isinstance(areas, str) else tuple(areas)
    if not named or not set(named) <= set(AREAS):
        raise SettingsError(f"areas is {areas!r}. Name some of {', '.join(AREAS)}.")
    return named


def _check_prefix(name: str, prefix: str) -> str:
    """The prefix without a slash at its end. Raises SettingsError for none at its start."""
    if prefix and not prefix.startswith("/"):
        raise SettingsError(f"{name} is {prefix!r}. Write it like '/{prefix.rstrip('/')}'.")
    return prefix.rstrip("/")


def _add_pages(app: Flask, runtime: Runtime, prefix: str) -> None:
    if find_spec("segno") is None:
        raise SettingsError('The area "pages" draws QR codes. Install e2ereset[pages].')
    from .pages.routes import make_pages  # only an app that has pages loads them

    app.register_blueprint(make_pages(app, runtime, url_prefix=prefix))


def _in_context(app: Flask, function: Callable[..., T], *given: Any) -> T:
    """Call it in the app's context, which the host's accounts may need."""
    with app.app_context():
        return function(*given)
