"""What a host hears of, and when."""

import pytest
from flask_sqlalchemy import SQLAlchemy

from e2ereset import (
    budget_spent,
    factor_disabled,
    factor_enabled,
    factor_used,
    key_reset,
    refused,
)
from e2ereset.audit.models import AuditRow
from tests.kit.host import BOB, SUE


def test_the_host_hears_whom_we_refuse_and_why(host, hears):
    heard = hears(refused)
    host.code()
    host.reset(BOB, "000000")
    facts = {"account": BOB, "action": "reset-e2e-key", "target": BOB.id}
    assert heard == [(host.app, facts | {"method": "totp", "code": "totp-invalid"})]


def test_it_hears_of_each_kind_of_refusal_once(make_host, hears):
    host = make_host(E2ERESET_RATE_LIMIT="3 per minute", RATELIMIT_ENABLED=True)
    heard = hears(refused)
    code = host.code()
    host.reset(BOB)
    host.reset(BOB, code, username="sue")
    for _ in range(4):
        host.reset(BOB, "000000")
    codes = ["totp-required", "error-not-allowed", "totp-invalid", "error-too-many-requests"]
    assert [facts["code"] for _, facts in heard] == codes


def test_the_host_hears_which_factor_proved_what(host, hears):
    heard, code = hears(factor_used), host.code()
    host.reset(BOB, "000000")
    host.reset(BOB, code)
    facts = {"account": BOB, "action": "reset-e2e-key", "target": BOB.id, "method": "totp"}
    assert heard == [(host.app, facts)]


def test_a_used_code_is_heard_of_though_the_action_is_refused(host, hears):
    heard, code = hears(factor_used), host.code()
    assert host.reset(BOB, code, username="sue").json["errorType"] == "error-not-allowed"
    assert [facts["target"] for _, facts in heard] == ["sue"]


def test_the_host_hears_of_factors_that_come_and_go(host, hears):
    on, off = hears(factor_enabled), hears(factor_disabled)
    factors = host.runtime.factors
    host.code()
    for enabled in (True, True, False):
        factors.set_email(BOB, enabled)
    factors.disable_totp(BOB)
    assert [facts["method"] for _, facts in on] == ["totp", "email"]
    assert [facts["method"] for _, facts in off] == ["email", "totp"]
    assert {facts["account"].id for _, facts in on + off} == {BOB.id}


def test_nobody_who_is_not_signed_in_is_heard_of(host, hears):
    heard = hears(refused)
    host.post("/api/v1/users.resetE2EKey")
    assert heard == []


def test_the_host_hears_of_a_spent_budget_once_an_hour(host, hears):
    heard = hears(budget_spent)
    host.code()
    host.wrong(BOB, 8)
    assert [facts for _, facts in heard] == [{"account": BOB, "method": "totp", "locked": False}]


@pytest.mark.parametrize("signal", [refused, key_reset])
def test_a_receiver_finds_it_committed_and_may_use_the_database(make_host, signal):
    db = SQLAlchemy(engine_options={"pool_size": 1, "max_overflow": 0, "pool_timeout": 1})
    host, found = make_host(db=db), []
    code = host.code()
    with signal.connected_to(lambda sender, **facts: found.append(host.count(AuditRow))):
        host.reset(BOB, "000000" if signal is refused else code)
    assert found == [1]


@pytest.mark.parametrize("signal", [refused, key_reset])
def test_a_receiver_that_fails_is_logged_and_the_next_one_hears(host, hears, caplog, signal):
    code = host.code()
    with signal.connected_to(lambda sender, **facts: 1 / 0):
        heard = hears(signal)
        answer = host.reset(BOB, "000000" if signal is refused else code)
    assert answer.status_code == (400 if signal is refused else 200)
    assert len(heard) == 1
    assert f"A receiver of {signal.name} failed" in caplog.text


def test_an_asynchronous_receiver_is_run(host):
    heard = []

    async def hear(sender, receipt):
        heard.append(receipt.target)

    with key_reset.connected_to(hear):
        host.reset(BOB, host.code())
    assert heard == [BOB]


def test_what_is_rolled_back_is_not_heard_of(make_host, hears):
    host, heard = make_host(PROPAGATE_EXCEPTIONS=False), hears(key_reset)
    host.accounts.fault = RuntimeError("no")
    host.reset(BOB, host.code())
    assert heard == []


def test_one_app_does_not_hear_of_another(make_host, hears):
    one, two = make_host("one"), make_host("two")
    heard = hears(refused, one.app)
    one.reset(SUE)
    two.reset(SUE)
    assert [sender for sender, _ in heard] == [one.app]
