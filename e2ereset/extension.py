"""`E2EReset`: puts the library into a Flask app. Wiring only; all state is the app's."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache, partial
from typing import Any

from flask import Blueprint, Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import MetaData

from .audit import AuditTrail
from .cli import register_commands
from .crypto import KeyRing
from .errors import Refusal, SettingsError
from .factors import routes as factors
from .factors.strategies import Strategy, resolve
from .guard import Answered
from .hosted import check_accounts, check_identify
from .http import CrossSite, Gates, Rates, bodies, envelope
from .http.rates import find_limiter, read_rate
from .http.strays import answer_strays
from .jobs import Queue
from .libraries import check_switches_meant_off
from .mail import Mailer, Message, Transport
from .metrics import make_meter
from .operations.routes import watch
from .parts import Parts
from .ports import Accounts
from .records import Caller
from .reset import routes as reset
from .runtime import Runtime, make_runtime
from .settings import Settings, load_settings
from .signals import Announcer
from .store.engines import Binds, Engines
from .store.tables import Base
from .store.transactions import Transactions
from .vault import routes as vault

log = logging.getLogger(__name__)


class E2EReset:
    """The extension. Either `E2EReset(app, ...)`, or `E2EReset(...)` and later `init_app(app)`.

    `db`: the host's Flask-SQLAlchemy object, initialised before. `accounts`: its users, see
    `e2ereset.ports`. `identify`: says in a request who is signed in, None when nobody is.
    `bind_key`: which of SQLALCHEMY_BINDS has our tables; None for the default database.
    `send`: delivers a `Message` by your own mailer, and raises where it cannot.
    `strategies`: classes that E2ERESET_METHODS may name. `clock` gives epoch seconds, `entropy`
    is shaped like `secrets`. One object may serve several apps.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        db: SQLAlchemy,
        accounts: Accounts,
        identify: Callable[[], Caller | None],
        url_prefix: str = "/api/v1",
        name: str = "e2ereset",
        bind_key: str | None = None,
        send: Callable[[Message], Any] | None = None,
        strategies: Iterable[type[Strategy]] = (),
        clock: Callable[[], float] = time.time,
        entropy: Any = secrets,
    ) -> None:
        self._db = db
        self._accounts = check_accounts(accounts)
        self._identify = identify
        self._url_prefix = url_prefix
        self._name = name
        self._bind_key = bind_key
        self._send = send
        self._strategies = tuple(strategies)
        self._clock = clock
        self._entropy = entropy
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Put the routes, tables, commands and services into the app.

        Raises SettingsError or StrategyError where a setting does not fit.
        """
        if "sqlalchemy" not in app.extensions:
            raise SettingsError("Call db.init_app(app) before E2EReset(app, db=db, ...).")
        if "e2ereset" in app.extensions:
            raise SettingsError("This app has e2ereset already. Keep one E2EReset for each app.")
        if self._bind_key is not None and self._bind_key not in _engines(app, self._db):
            raise SettingsError(f"SQLALCHEMY_BINDS has no {self._bind_key!r}, the bind_key given.")
        check_switches_meant_off(app.config)
        runtime = self._make(app, load_settings(app.config, name=app.name))
        app.extensions["e2ereset"] = runtime
        app.register_blueprint(self._routes(runtime))
        # For the host's own views, such as of enrolment; a host may have words of its own.
        if Refusal not in app.error_handler_spec[None][None]:
            app.register_error_handler(Refusal, envelope.failure)
        # Under TRAP_HTTP_EXCEPTIONS Flask answers none of those without a handler.
        app.register_error_handler(Answered, Answered.get_response)
        answer_strays(app, self._url_prefix, runtime.gates.cross_site)
        app.teardown_request(bodies.drop_settled)
        if runtime.settings.delivery == "thread":
            app.before_request(runtime.ensure_running)
        register_commands(app)
        watch(app, runtime, self._name)
        if not runtime.settings.two_factor:
            log.warning("E2ERESET_TWO_FACTOR is off: every signed-in caller can reset keys.")

    def _make(self, app: Flask, settings: Settings) -> Runtime:
        parts = self._parts(app, settings)
        settings = parts.settings
        way = Transport(app, self._send)
        rates = Rates(
            limiter=find_limiter(app, settings),
            rate=read_rate(settings),
            settings=settings,
            clock=parts.clock,
        )
        gates = partial(
            Gates,
            settings=settings,
            clock=parts.clock,
            identify=check_identify(self._identify, app.ensure_sync),
            rates=rates,
            cross_site=CrossSite(settings),
        )
        return make_runtime(
            parts,
            strategies=resolve(settings.methods, parts, registered=self._strategies),
            mailer=Mailer(way, sender=settings.mail_sender, workspace=settings.workspace),
            gates=gates,
            in_context=partial(_in_context, app),
            # A clock of the host's own, as tests have, goes for budgets too.
            by_database=self._clock is time.time,
        )

    def _parts(self, app: Flask, settings: Settings) -> Parts:
        engines = cache(partial(_engines, app, self._db))
        schema = _add_tables(self._db, self._bind_key).schema
        transactions = Transactions(Binds(engines, key=self._bind_key, schema=schema))
        if settings.delivery == "thread" and not transactions.lasting:
            log.warning("The database is one connection in memory: no thread delivers mail.")
            settings = replace(settings, delivery="process")
        keyring = KeyRing(settings.secret_keys)
        return Parts(
            settings=settings,
            clock=self._clock,
            entropy=self._entropy,
            transactions=transactions,
            keyring=keyring,
            accounts=self._accounts,
            jobs=Queue(keyring),
            audit=AuditTrail(keyring, self._entropy),
            meter=make_meter(settings.operations),
            announcer=Announcer(app),
        )

    def _routes(self, runtime: Runtime) -> Blueprint:
        gates = runtime.gates
        blueprint = gates.blueprint(self._name, url_prefix=self._url_prefix)
        reset.add_routes(blueprint, runtime.resets, gates)
        factors.add_routes(blueprint, runtime.codes, runtime.unlocks, gates)
        vault.add_routes(blueprint, runtime.vault, runtime.resets.replace_key, gates)
        return blueprint


def _in_context(app: Flask, function: Callable[..., bool], *given: Any) -> bool:
    """Call it in the app's context, which the host's accounts may look for."""
    with app.app_context():
        return function(*given)


def _engines(app: Flask, db: SQLAlchemy) -> Engines:
    with app.app_context():
        return db.engines


def _add_tables(db: SQLAlchemy, bind_key: str | None) -> MetaData:
    """Copy our tables into the host's metadata, where `create_all` and migrations find them."""
    fresh = MetaData(info={"bind_key": bind_key})
    metadata = db.metadatas.setdefault(bind_key, fresh)
    there = {table.name for table in metadata.tables.values()}
    for table in Base.metadata.sorted_tables:
        if table.name not in there:
            table.to_metadata(metadata)
    return metadata
