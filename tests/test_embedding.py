"""In a foreign host: its own users, its own db, its own sign-in."""

import pytest
from flask import Flask, request
from flask_sqlalchemy import SQLAlchemy
from ports import free_port
from sqlalchemy import inspect, select

from e2ereset import Caller, E2EReset, get_e2ereset, key_reset, two_factor_required
from e2ereset.errors import E2EResetError, SettingsError
from e2ereset.models import AuditRow, EmailChallenge, KeyPair, Totp
from e2ereset.testing import FakeClock, MemoryAccounts, enable_email, enrol_totp, make_account

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

    def __init__(self, uri, *, name="e2ereset", url_prefix="/api/v1", **config):
        self.clock, self.accounts = FakeClock(), HostAccounts(BOB, SUE)
        self.db = SQLAlchemy()
        self.app = Flask("host")
        self.app.config.from_mapping(TESTING=True, SQLALCHEMY_DATABASE_URI=uri, SECRET_KEY=KEY)
        self.app.config.from_mapping(config)
        self.db.init_app(self.app)
        self.prefix = url_prefix
        options = {"db": self.db, "accounts": self.accounts, "identify": self.identify}
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

    def count(self, model):
        with self.runtime.transactions.read() as session:
            return session.query(model).count()


@pytest.fixture
def make_host(make_database):
    """Makes hosts, each with a database of its own unless told otherwise."""
    hosts = []

    def make(database="host", **options):
        hosts.append(Host(make_database(database), **options))
        return hosts[-1]

    yield make
    for host in hosts:
        with host.app.app_context():
            host.db.engine.dispose()


@pytest.fixture
def host(make_host):
    return make_host()


def test_create_all_of_the_host_makes_our_tables(host):
    with host.app.app_context():
        names = inspect(host.db.engine).get_table_names()
    assert {"e2ereset_totp", "e2ereset_audit", "e2ereset_outbox"} <= set(names)


def test_two_apps_in_one_process_share_nothing(make_host):
    one = make_host("one", E2ERESET_METHODS=["totp"])
    two = make_host("two", url_prefix="/x", name="x", SECRET_KEY="another key for tests")
    code = enrol_totp(one.app, BOB).code()
    assert two.reset(BOB, code).json["errorType"] == "error-two-factor-not-available"
    assert one.reset(BOB, code).status_code == 200
    assert (one.count(Totp), two.count(Totp)) == (1, 0)


def test_one_extension_serves_two_apps(host, make_database):
    other = Flask("other")
    uri = make_database("other")
    other.config.from_mapping(TESTING=True, SQLALCHEMY_DATABASE_URI=uri, SECRET_KEY=KEY[::-1])
    host.db.init_app(other)
    host.extension.init_app(other)
    with other.app_context():
        host.db.create_all()
        assert get_e2ereset().keyring.newest != host.runtime.keyring.newest
        enrol_totp(other, BOB)
        host.db.engine.dispose()
    assert host.count(Totp) == 0


def test_the_blueprint_takes_the_hosts_name_and_prefix(make_host):
    host = make_host(url_prefix="/keys", name="keys")
    endpoints = {rule.endpoint: rule.rule for rule in host.app.url_map.iter_rules()}
    assert endpoints["keys.reset_e2e_key"] == "/keys/users.resetE2EKey"


def test_a_host_gets_the_permissions_seeded(host):
    code = enrol_totp(host.app, SUE).code()
    assert host.reset(SUE, code, username="bob").status_code == 200


def test_what_was_revoked_stays_revoked_after_a_restart(make_host):
    host = make_host()
    host.runtime.permissions.seed_once()
    with host.runtime.transactions.begin() as session:
        host.runtime.permissions.revoke(session, "edit-other-user-e2ee", "admin")
    again = make_host()
    code = enrol_totp(again.app, SUE).code()
    assert again.reset(SUE, code, username="bob").json["errorType"] == "error-not-allowed"


@pytest.mark.parametrize("part", ["drop_keys", "end_sessions"])
def test_a_fault_in_the_hosts_part_undoes_everything(host, part):
    host.accounts.failing = part
    device = enrol_totp(host.app, BOB)
    with host.runtime.transactions.begin() as session:
        session.add(KeyPair(account_id=BOB.id, public_key="P", private_key="W", set_at=0))
    host.accounts.fault = RuntimeError("the host's session store is gone")
    assert host.reset(BOB, device.code()).status_code == 503
    assert (host.count(KeyPair), host.count(AuditRow)) == (1, 0)
    host.accounts.fault = None
    assert host.reset(BOB, device.code()).status_code == 200


def test_the_fault_is_in_no_answer(host):
    host.accounts.fault = RuntimeError("secret words")
    response = host.reset(BOB, enrol_totp(host.app, BOB).code())
    assert response.json == {"success": False, "error": "Service Unavailable"}


def test_a_receiver_that_fails_does_not_undo_the_reset(host):
    def fail(sender, receipt):
        raise RuntimeError("receiver")

    with key_reset.connected_to(fail):
        assert host.reset(BOB, enrol_totp(host.app, BOB).code()).status_code == 200
    assert host.count(AuditRow) == 1


def test_a_receiver_finds_the_reset_committed(host):
    found = []

    def look(sender, receipt):
        found.append((receipt.target, host.count(AuditRow)))

    with key_reset.connected_to(look):
        host.reset(BOB, enrol_totp(host.app, BOB).code())
    assert found == [(BOB, 1)]


def test_no_receiver_hears_of_a_reset_that_failed(host):
    heard = []
    host.accounts.fault = RuntimeError("the host's session store is gone")
    with key_reset.connected_to(lambda sender, receipt: heard.append(receipt)):
        host.reset(BOB, enrol_totp(host.app, BOB).code())
    assert heard == []


def test_the_hosts_rollback_does_not_undo_a_charge(host):
    host.app.after_request(lambda response: host.db.session.rollback() or response)
    enrol_totp(host.app, BOB)
    answers = [host.reset(BOB, "000000").json["errorType"] for _ in range(6)]
    assert answers == ["totp-invalid"] * 5 + ["totp-max-attempts"]


def test_a_fault_of_the_view_is_the_hosts_and_the_code_is_spent(host):
    @host.app.post("/danger")
    @two_factor_required("danger")
    def danger():
        raise RuntimeError("the view's own fault")

    host.app.config["PROPAGATE_EXCEPTIONS"] = False
    headers = {"Host-User": BOB.id, "x-2fa-code": enrol_totp(host.app, BOB).code()}
    first, second = (host.app.test_client().post("/danger", headers=headers) for _ in range(2))
    assert (first.status_code, first.mimetype) == (500, "text/html")
    assert second.json["errorType"] == "totp-invalid"


def test_a_view_behind_the_gate_is_unavailable_while_the_rates_have_no_store(make_host):
    gone = f"redis://127.0.0.1:{free_port()}/0"
    host = make_host(RATELIMIT_STORAGE_URI=gone)

    @host.app.post("/danger")
    @two_factor_required("danger")
    def danger():
        return "done"

    answer = host.app.test_client().post("/danger", headers={"Host-User": BOB.id})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.json == {"success": False, "error": "Service Unavailable"}


def test_a_guarded_view_leaves_its_rows(host):
    @host.app.post("/danger/<name>")
    @two_factor_required("danger", target=lambda name: name)
    def danger(name):
        return {"done": name}

    code = enrol_totp(host.app, BOB).code()
    for headers in ({}, {"x-2fa-code": code}):
        host.app.test_client().post("/danger/x", headers={"Host-User": BOB.id} | headers)
    with host.runtime.transactions.read() as session:
        rows = session.query(AuditRow).order_by(AuditRow.id).all()
    assert [(r.action, r.target, r.outcome) for r in rows] == [
        ("danger", "x", "totp-required"),
        ("danger", "x", "passed"),
    ]


def test_a_sentence_in_a_url_is_in_no_mail(host):
    @host.app.post("/danger/<name>")
    @two_factor_required("danger", target=lambda name: name)
    def danger(name):
        return name

    enable_email(host.app, BOB)
    host.app.test_client().post("/danger/You are locked out", headers={"Host-User": BOB.id})
    with host.runtime.transactions.read() as session:
        phrases = session.scalars(select(EmailChallenge.phrase)).all()
    assert phrases == ["danger"]


def test_an_app_without_the_hosts_db_is_refused():
    app = Flask("host")
    app.config.from_mapping(SECRET_KEY=KEY)
    with pytest.raises(SettingsError, match=r"db\.init_app"):
        E2EReset(app, db=SQLAlchemy(), accounts=MemoryAccounts(), identify=lambda: None)


def test_a_second_extension_on_one_app_is_refused(host):
    with pytest.raises(SettingsError, match="already"):
        E2EReset(host.app, db=host.db, accounts=host.accounts, identify=host.identify)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"E2ERESET_TYPO": 1}, "is not a setting"),
        ({"E2ERESET_TOTP_WINDOW": 5}, "from 0 to 1"),
        ({"SECRET_KEY": "dev"}, "token_urlsafe"),
        ({"E2ERESET_RATE_LIMIT": "often"}, "10 per minute"),
        ({"E2ERESET_METHODS": ["sms"]}, "Known:"),
    ],
)
def test_a_bad_setting_refuses_to_start(make_host, config, words):
    with pytest.raises(E2EResetError, match=words):
        make_host(**config)


def test_a_short_key_is_not_in_the_refusal(make_host):
    with pytest.raises(SettingsError) as caught:
        make_host(SECRET_KEY="hunter2")
    assert "hunter2" not in str(caught.value)


def test_no_secret_is_in_the_repr_of_the_runtime(host):
    runtime = host.runtime
    assert KEY not in f"{runtime!r} {runtime.settings!r} {runtime.keyring!r}"


def test_an_app_without_e2ereset_is_told_so():
    with pytest.raises(SettingsError, match="E2EReset"):
        get_e2ereset(Flask("bare"))
