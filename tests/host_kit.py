"""A foreign host: its own users, its own db, its own sign-in."""

from contextlib import ExitStack

import pytest
from flask import Flask, request
from flask_sqlalchemy import SQLAlchemy

from e2ereset import Caller, E2EReset, get_e2ereset
from e2ereset.models import AuditRow
from e2ereset.testing import FakeClock, MemoryAccounts, make_account

BOB, SUE = make_account("bob"), make_account("sue", roles=("admin",))
KEY = "a key for tests only"


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
        self.db = db or SQLAlchemy()
        self.app = (app or Flask)("host")
        self.app.config.from_mapping(TESTING=True, SQLALCHEMY_DATABASE_URI=uri, SECRET_KEY=KEY)
        self.app.config.from_mapping(config)
        self.db.init_app(self.app)
        if before:
            before(self.app)
        self.prefix = url_prefix
        options = {
            "db": self.db,
            "accounts": self.accounts,
            "identify": identify or self.identify,
        } | (options or {})
        self.extension = E2EReset(name=name, url_prefix=url_prefix, clock=self.clock, **options)
        self.extension.init_app(self.app)
        with self.app.app_context():
            self.db.create_all()
        self.runtime = get_e2ereset(self.app)

    def identify(self):
        account = self.accounts.accounts.get(request.headers.get("Host-User", ""))
        return account and Caller(account=account)

    def reset(self, account, code=None, **body):
        headers = {"Host-User": account.id} | ({"x-2fa-code": code} if code else {})
        url = f"{self.prefix}/users.resetE2EKey"
        return self.app.test_client().post(url, headers=headers, json=body)

    def post(self, url, account=None, code=None, **options):
        """POST to a view of the host's own."""
        headers = {"Host-User": account.id} if account else {}
        headers |= {"x-2fa-code": code} if code else {}
        return self.app.test_client().post(url, headers=headers, **options)

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

    def count(self, model):
        with self.runtime.transactions.read() as session:
            return session.query(model).count()


@pytest.fixture
def make_host(make_database):
    """Makes hosts, each with a database of its own unless told otherwise."""
    hosts = []

    def make(database="host", uri=None, **options):
        hosts.append(Host(uri or make_database(database), **options))
        return hosts[-1]

    yield make
    for host in hosts:
        with host.app.app_context():
            for engine in host.db.engines.values():
                engine.dispose()


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
