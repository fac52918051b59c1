"""`E2EReset`: puts the library into a Flask app. Wiring only; all state is the app's."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache, partial
from typing import Any

from flask import Blueprint, Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import MetaData

from .audit import AuditTrail, CheckpointFile, Sealer
from .background import Background
from .cli import register_commands
from .crypto import KeyRing
from .errors import Refusal, SettingsError
from .factors.enrolment import Factors
from .factors.resend import ASKED, Codes
from .factors.routes import send_email_code, unlock_factor
from .factors.stepup import StepUp
from .factors.strategies import Strategy, Tools, resolve
from .factors.unlocks import Unlocks
from .guard import Answered
from .hosted import check_accounts, check_identify
from .http import bodies, envelope
from .http.blueprint import make_blueprint
from .http.rates import find_limiter, read_rate
from .http.strays import answer_strays
from .jobs import Queue, Worker
from .jobs.leases import Leased
from .libraries import check_switches_meant_off
from .mail import Mailer, Message, Way
from .metrics import make_meter
from .operations.routes import watch
from .permissions import Permissions
from .permissions.targets import Targets
from .ports import Accounts
from .records import Caller
from .reset.routes import reset_e2e_key
from .reset.service import Resets
from .runtime import Runtime
from .settings import Settings, load_settings
from .signals import Announcer
from .store.engines import Binds, Engines
from .store.tables import Base
from .store.transactions import Transactions
from .vault.routes import fetch_my_keys, set_keys
from .vault.service import Vault

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
        app.register_blueprint(make_routes(self._name, self._url_prefix))
        # For the host's own views, such as of enrolment; a host may have words of its own.
        if Refusal not in app.error_handler_spec[None][None]:
            app.register_error_handler(Refusal, envelope.failure)
        # Under TRAP_HTTP_EXCEPTIONS Flask answers none of those without a handler.
        app.register_error_handler(Answered, Answered.get_response)
        answer_strays(app, self._url_prefix)
        app.teardown_request(bodies.drop_settled)
        if runtime.settings.delivery == "thread":
            app.before_request(runtime.ensure_running)
        register_commands(app)
        watch(app, runtime, self._name)
        if not runtime.settings.two_factor:
            log.warning("E2ERESET_TWO_FACTOR is off: every signed-in caller can reset keys.")

    def _make(self, app: Flask, settings: Settings) -> Runtime:
        engines = cache(partial(_engines, app, self._db))
        schema = _add_tables(self._db, self._bind_key).schema
        transactions = Transactions(Binds(engines, key=self._bind_key, schema=schema))
        if settings.delivery == "thread" and not transactions.lasting:
            log.warning("The database is one connection in memory: no thread delivers mail.")
            settings = replace(settings, delivery="process")
        keyring = KeyRing(settings.secret_keys)
        jobs = Queue(keyring)
        tools = Tools(
            settings=settings,
            keyring=keyring,
            jobs=jobs,
            accounts=self._accounts,
            entropy=self._entropy,
        )
        stepup = StepUp(
            transactions=transactions,
            strategies=resolve(settings.methods, tools, registered=self._strategies),
            settings=settings,
            audit=AuditTrail(keyring, self._entropy),
            jobs=jobs,
            accounts=self._accounts,
            meter=make_meter(settings.operations),
            announcer=Announcer(app),
            clock=self._clock,
            # A clock of the host's own, as tests have, goes for budgets too.
            by_database=self._clock is time.time,
        )
        return self._assemble(app, transactions, tools, stepup)

    def _assemble(
        self, app: Flask, transactions: Transactions, tools: Tools, stepup: StepUp
    ) -> Runtime:
        permissions = Permissions(transactions)
        sealer = self._sealer(transactions, tools)
        codes = Codes(tools, transactions, stepup)
        mailer = self._mailer(app, tools.settings)
        answer = partial(_in_context, app, codes.answer)
        worker = Worker(
            transactions,
            tools.jobs,
            {**mailer.handlers(), ASKED: answer},
            clock=self._clock,
            entropy=self._entropy,
        )
        vault = Vault(tools, transactions, stepup)
        targets = Targets(tools, transactions, permissions)
        factors = Factors(transactions, tools, stepup, self._clock)
        resets = Resets(
            tools=tools,
            transactions=transactions,
            targets=targets,
            stepup=stepup,
            vault=vault,
        )
        return Runtime(
            settings=tools.settings,
            clock=self._clock,
            entropy=self._entropy,
            accounts=self._accounts,
            identify=check_identify(self._identify, app.ensure_sync),
            limiter=find_limiter(app),
            rate=read_rate(tools.settings),
            transactions=transactions,
            keyring=tools.keyring,
            audit=stepup.audit,
            jobs=tools.jobs,
            permissions=permissions,
            stepup=stepup,
            resets=resets,
            vault=vault,
            factors=factors,
            unlocks=Unlocks(targets, stepup, factors),
            codes=codes,
            sealer=sealer,
            worker=worker,
            mailer=mailer,
            # Two threads: a mail relay that hangs must not hold up the sealing.
            background=(Background(worker.run_due), Background(sealer.seal)),
        )

    def _sealer(self, transactions: Transactions, tools: Tools) -> Sealer:
        file, publish = tools.settings.audit_checkpoints, None
        if file:
            origin = tools.settings.audit_origin
            checkpoints = CheckpointFile(
                file, transactions, tools.keyring, origin=origin, clock=self._clock
            )
            publish = checkpoints.publish
        return Sealer(transactions, tools.keyring, clock=self._clock, publish=publish)

    def _mailer(self, app: Flask, settings: Settings) -> Mailer:
        way = Way(app, self._send)
        return Mailer(way, sender=settings.mail_sender, workspace=settings.workspace)


def _in_context(
    app: Flask,
    answer: Callable[[Mapping[str, Any], int], bool],
    asked: Mapping[str, Any],
    _job: Leased,
    now: int,
) -> bool:
    """Answer in the app's context: the host's accounts may look for it, in a thread of ours too."""
    with app.app_context():
        return answer(asked, now)


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


def make_routes(name: str, url_prefix: str) -> Blueprint:
    """The library's own routes, Rocket.Chat's by name."""
    blueprint = make_blueprint(name, url_prefix=url_prefix)
    blueprint.post("/users.resetE2EKey")(reset_e2e_key)
    blueprint.post("/users.2fa.sendEmailCode")(send_email_code)
    blueprint.post("/users.unlockFactor")(unlock_factor)
    blueprint.post("/e2e.setUserPublicAndPrivateKeys")(set_keys)
    blueprint.get("/e2e.fetchMyKeys")(fetch_my_keys)
    return blueprint
