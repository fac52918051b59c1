"""In a foreign host: its own users, its own db, its own sign-in."""

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from e2ereset import E2EReset, get_e2ereset
from e2ereset.audit.models import AuditRow
from e2ereset.errors import E2EResetError, SettingsError
from e2ereset.factors.models import Totp
from e2ereset.testing import Mailbox, MemoryAccounts, enable_email, enrol_totp
from e2ereset.upkeep.forgetting import forget
from e2ereset.vault.models import KeyPair
from tests.kit.host import BOB, KEY, SUE, HostAccounts


def test_two_apps_in_one_process_share_nothing(make_host):
    one = make_host("one", E2ERESET_METHODS=["totp"])
    two = make_host("two", url_prefix="/x", name="x", SECRET_KEY="another key for tests")
    assert "x.reset_e2e_key" in two.app.view_functions
    code = one.code()
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


def test_what_was_revoked_stays_revoked_after_a_restart(make_host):
    host = make_host()
    host.runtime.permissions.seed_once()
    with host.runtime.transactions.begin() as session:
        host.runtime.permissions.revoke(session, "edit-other-user-e2ee", "admin")
    again = make_host()
    refused = again.reset(SUE, again.code(SUE), username="bob")
    assert refused.json["errorType"] == "error-not-allowed"


def test_who_gets_the_id_of_a_deleted_user_gets_nothing_else_of_theirs(host):
    host.give_key()
    enrol_totp(host.app, BOB)
    enrol_totp(host.app, SUE)
    with host.app.app_context(), get_e2ereset().transactions.begin() as session:
        forget(session, BOB.id)
    assert host.reset(BOB).json["errorType"] == "error-two-factor-not-available"
    assert (host.count(KeyPair), host.count(Totp)) == (0, 1)


@pytest.mark.parametrize(("accounts", "ends"), [(HostAccounts, True), (MemoryAccounts, False)])
def test_mails_say_that_sign_ins_end_where_the_host_ends_them(make_host, accounts, ends):
    host = make_host(accounts=accounts(BOB))
    enable_email(host.app, BOB)
    mailbox = Mailbox(host.app)
    host.reset(BOB)
    assert host.reset(BOB, mailbox.code_for("bob@example.org")).status_code == 200
    code, _enabled, notice = (mail.text for mail in mailbox.messages_to("bob@example.org"))
    assert ("sign-ins" in code, "sign-ins" in notice) == (ends, ends)


@pytest.mark.parametrize("part", ["drop_keys", "end_sessions"])
def test_a_fault_in_the_hosts_part_undoes_everything_and_is_in_no_answer(make_host, part):
    host = make_host(PROPAGATE_EXCEPTIONS=False)
    host.give_key()
    host.accounts.failing, host.accounts.fault = part, RuntimeError("secret words")
    code = host.code()
    answer = host.reset(BOB, code)
    assert (answer.status_code, "secret words" in answer.text) == (503, False)
    assert (host.count(KeyPair), host.count(AuditRow)) == (1, 0)
    host.accounts.fault = None
    assert host.reset(BOB, code).status_code == 200


def test_the_hosts_rollback_does_not_undo_a_charge(host):
    host.app.after_request(lambda response: host.db.session.rollback() or response)
    enrol_totp(host.app, BOB)
    assert host.wrong(BOB, 6) == ["totp-invalid"] * 5 + ["totp-max-attempts"]


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
        *(({"E2ERESET_SECRET_KEYS": [key]}, "token_urlsafe") for key in ("", 7)),
        ({"E2ERESET_RATE_LIMIT": "often"}, "10 per minute"),
        ({"E2ERESET_RATE_LIMIT_READS": "never"}, "E2ERESET_RATE_LIMIT_READS is 'never'"),
        ({"E2ERESET_METHODS": ["sms"]}, "Known:"),
    ],
)
def test_a_bad_setting_refuses_to_start(make_host, config, words):
    with pytest.raises(E2EResetError, match=words):
        make_host(**config)


def test_a_short_key_is_not_in_the_refusal(make_host):
    with pytest.raises(SettingsError) as caught:
        make_host(SECRET_KEY="hunter2", TESTING=False)
    assert "hunter2" not in str(caught.value)


def test_a_short_key_is_a_warning_under_testing(make_host, caplog):
    host = make_host(SECRET_KEY="hunter2")
    assert ("token_urlsafe" in caplog.text, "hunter2" in caplog.text) == (True, False)
    assert host.reset(BOB, host.code()).status_code == 200


def test_an_app_without_e2ereset_is_told_so():
    with pytest.raises(SettingsError, match="E2EReset"):
        get_e2ereset(Flask("bare"))
