"""A foreign host: its own users, its own db, its own sign-in."""

from contextlib import ExitStack

import pytest
from flask import Flask, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import select

from e2ereset import Caller, E2EReset, get_e2ereset, two_factor_required
from e2ereset.audit.models import AuditRow
from e2ereset.testing import FakeClock, MemoryAccounts, enrol_totp, make_account
from e2ereset.vault.models import KeyPair

AREAS = ("reset", "keys", "factors")
BOB, SUE = make_account("bob"), make_account("sue", roles=("admin",))
KEY = "a key for tests only"
# As docs/embedding.md has it behind PgBouncer.
UNPREPARED = {"connect_args": {"prepare_threshold": None}}


class HostAccounts(MemoryAccounts):
    """Users in memory, whose keys and sign-ins the host would end; a test may have that fail."""

    fault, failing = None, "end_sessions"

    def drop_keys(self, session, account_id, now):
        return self._end("drop_keys")

    def end_sessions(self, session, account_id):
        return self._end("end_sessions")

    def _end(self, part):
        if self.fault and part == self.failing:
            raise self.fault
        return 1


class Host:
    """One foreign app."""

    def __init__(
        self,
        uri,
        *,
        name="e2ereset",
        url_prefix="/api/v1",
        accounts=None,
        identify=None,
        db=None,
        options=None,
        app=None,
        before=None,
        **config,
    ):
        self.clock, self.accounts = FakeClock(), accounts or HostAccounts(BOB, SUE)
        self.db, self.app, self.prefix = db or SQLAlchemy(), (app or Flask)("host"), url_prefix
        basis = {"TESTING": True, "SQLALCHEMY_DATABASE_URI": uri, "SECRET_KEY": KEY}
        if db is None and uri.startswith("postgresql"):
            basis["SQLALCHEMY_ENGINE_OPTIONS"] = UNPREPARED
        self.app.config.from_mapping(basis | config)
        self.db.init_app(self.app)
        if before:
            before(self.app)
        options = {"identify": identify or self.identify, "clock": self.clock} | (options or {})
        options = {"areas": AREAS} | options
        options |= {"db": self.db, "accounts": self.accounts, "url_prefix": url_prefix}
        self.extension = E2EReset(self.app, name=name, **options)
        with self.app.app_context():
            self.db.create_all()
        self.runtime = get_e2ereset(self.app)

    def identify(self):
        account = self.accounts.accounts.get(request.headers.get("Host-User", ""))
        return account and Caller(account=account)

    def reset(self, account, code=None, **body):
        return self.post(f"{self.prefix}/users.resetE2EKey", account, code, json=body)

    def post(self, url, account=None, code=None, **options):
        """POST to a view of the host's own."""
        headers = {"Host-User": account.id} if account else {}
        headers |= {"x-2fa-code": code} if code else {}
        return self.app.test_client().post(url, headers=headers, **options)

    def wrong(self, account, times):
        """So many resets with a wrong code; what each is refused with."""
        return [self.reset(account, "000000").json["errorType"] for _ in range(times)]

    def code(self, account=BOB):
        """A code of a new device of this account's."""
        return enrol_totp(self.app, account).code()

    def give_key(self):
        with self.runtime.transactions.begin() as session:
            session.add(KeyPair(account_id=BOB.id, public_key="P", private_key="W", set_at=0))

    def guard(self, url="/r", view=lambda **named: named, **options):
        """Put a view behind the gate, for the action "drop"."""
        guarded = two_factor_required("drop", **options)(view)
        self.app.add_url_rule(url, "guarded", guarded, methods=["POST"])

    def audited(self):
        """The audit log: (action, target, outcome), oldest first."""
        with self.runtime.transactions.read() as session:
            rows = session.query(AuditRow).order_by(AuditRow.id).all()
        return [(row.action, row.target, row.outcome) for row in rows]

    def look(self, query):
        """The first value of a query, by the host's own session."""
        with self.app.app_context():
            return self.db.session.scalar(query)

    def run(self, *command):
        """Run one of the app's commands."""
        return self.app.test_cli_runner().invoke(args=command)

    def dispose(self):
        """Close all connections."""
        with self.app.app_context():
            for engine in self.db.engines.values():
                engine.dispose()

    def count(self, model):
        with self.runtime.transactions.read() as session:
            return session.query(model).count()


@pytest.fixture
def make_host(make_database, host_template):
    """Makes hosts, each with a database of its own unless told otherwise."""
    hosts = []

    def make(database="host", uri=None, kind=Host, **options):
        # What a host does with `create_all` takes long; tests of where tables go start without.
        made = None if {"db", "options", "SQLALCHEMY_BINDS"} & options.keys() else host_template
        hosts.append(kind(uri or make_database(database, made), **options))
        return hosts[-1]

    yield make
    for host in hosts:
        host.dispose()


@pytest.fixture
def host(make_host):
    return make_host()


@pytest.fixture
def hears():
    """Makes a list of what is heard of a signal: the names of the facts and their values."""
    with ExitStack() as stack:

        def hears(signal, app=None):
            heard = []

            def hear(sender, **facts):
                heard.append((sender, facts))

            connected = signal.connected_to(hear, app) if app else signal.connected_to(hear)
            stack.enter_context(connected)
            return heard

        yield hears


class UserAccounts(MemoryAccounts):
    """Accounts in a table of the host's."""

    def __init__(self, model):
        super().__init__(SUE)
        self.model = model

    def find(self, session, username):
        user = session.scalars(select(self.model).filter_by(name=username)).first()
        return user and make_account(user.name)

    def end_sessions(self, session, account_id):
        name = account_id.removeprefix("id-of-")
        session.query(self.model).filter_by(name=name).update({"ended": self.model.ended + 1})
        return 1


def users(db, bind=None):
    """A table of users, on this bind."""

    class User(db.Model):
        __bind_key__, __tablename__ = bind, "host_users"
        id = db.Column(db.Integer, primary_key=True)
        name = db.Column(db.String(80))
        ended = db.Column(db.Integer, default=0)

    return User


@pytest.fixture
def with_users(make_host):
    """Makes hosts that have bob in a table of their own; sue resets his key by name."""

    def make(db=None, User=None, **options):
        db = db or SQLAlchemy()
        User = User or users(db)
        options = {"identify": lambda: Caller(account=SUE)} | options
        host = make_host(db=db, accounts=UserAccounts(User), **options)
        with host.app.app_context():
            host.db.session.add(User(name="bob"))
            host.db.session.commit()
        host.ended = lambda: host.look(select(User.ended))
        host.device = enrol_totp(host.app, SUE)
        return host

    return make


def reset_bob(host):
    return host.reset(SUE, host.device.next_code(), username="bob")
