"""Section 10 of the security checklist: what the reference does, and we do not inherit."""

import pytest

from e2ereset.factors.models import BackupCode, EmailChallenge
from e2ereset.jobs.models import Job
from e2ereset.settings import load_settings
from tests.kit.world import sha256
from tests.security.attacker import again, at_once, break_table, error, other_worker, wrong


@pytest.fixture
def admin(world):
    return world.person("root", totp=True, roles=["admin"])


def test_10_01_a_method_that_is_not_enabled_has_no_effect_when_named(world, bob):
    for code in (None, "000000"):
        assert world.reset(bob, code=code, method="email").json["details"]["method"] == "totp"
    assert world.rows(Job, kind="code") == []


def test_10_02_a_code_is_checked_before_anything_is_mailed(world, eve):
    assert error(world.reset(eve, code="000000")) == "totp-invalid"
    assert world.rows(Job, kind="code") == []


def test_10_03_wrong_codes_do_not_bring_a_new_one(world, eve):
    world.reset(eve)
    assert wrong(world, eve, 7)[5:] == ["totp-max-attempts"] * 2
    world.clock.now += 31
    assert error(world.reset(eve)) == "totp-max-attempts"
    assert len(world.rows(Job, kind="code")) == 1


def test_10_04_one_mailed_code_passes_once_among_many_at_once(world):
    root = world.person("root", email=True, roles=["admin"])
    world.person("ann")
    world.reset(root, {"user": "ann"})
    answers = at_once(world, root, 10, body={"user": "ann"}, code=world.mailed_code())
    assert [a.status_code for a in answers].count(200) == 1


@pytest.mark.parametrize("late", [0, 1, 299])
def test_10_05_a_code_that_expired_is_neither_taken_nor_thought_live(world, eve, late):
    world.reset(eve)
    old = world.mailed_code()
    world.clock.now += 600 + late
    assert error(world.reset(eve, code=old)) == "totp-invalid"
    assert world.reset(eve).json["details"]["codeGenerated"] is True


def test_10_06_totp_and_password_have_a_limit_and_totp_a_memory(world, bob):
    ann = world.person("ann", password="pw")
    assert wrong(world, ann, 6)[-1] == "totp-max-attempts"
    code = world.code(bob)
    world.reset(bob, code=code)
    assert wrong(world, again(world, bob), 5) == ["totp-invalid"] * 5
    assert error(world.reset(bob, code=code)) == "totp-max-attempts"


def test_10_07_a_backup_code_is_a_row_of_its_own_under_a_keyed_digest(world, bob):
    digests = [row.digest for row in world.rows(BackupCode)]
    assert not [c for c in bob.backup_codes if sha256(c) in " ".join(digests)]
    assert world.reset(bob, code=bob.backup_codes[0]).status_code == 200
    assert len(set(digests) - {row.digest for row in world.rows(BackupCode)}) == 1


def test_10_08_nothing_but_a_named_setting_lets_anybody_pass_without_a_proof(world):
    new = world.person("new")  # made this very second, under TESTING
    assert error(world.reset(new)) == "error-two-factor-not-available"
    settings = load_settings({"SECRET_KEY": "a key for tests only"})
    assert (settings.two_factor, settings.without_method) == (True, "refuse")


def test_10_09_tokens_that_skip_the_check_can_be_forbidden(world, bob, make_server, config):
    bob.headers = world.sign_in(bob.id, expires_at=None, name="ci", bypass_two_factor=True)
    strict = other_worker(world, make_server(config | {"E2ERESET_BYPASS_TOKENS": False}))
    assert error(strict.reset(bob)) == "totp-required"
    assert world.reset(bob).status_code == 200
    assert world.outcomes()[-1][3] == "bypass"


def test_10_10_no_proof_is_remembered(world, bob):
    same = {"User-Agent": "Firefox/140"}
    assert world.reset(bob, code=world.code(bob), headers=same).status_code == 200
    assert error(world.reset(again(world, bob), headers=same)) == "totp-required"


def test_10_11_resets_of_others_obey_rank_and_leave_a_row(world, admin):
    with world.runtime.transactions.begin() as session:
        world.runtime.permissions.grant(session, "edit-other-user-e2ee", "user")
    clerk = world.person("clerk", totp=True)
    world.reset(clerk, {"user": "root"}, code=world.code(clerk))
    assert world.outcomes()[-1] == (
        "reset-e2e-key",
        clerk.id,
        admin.id,
        "totp",
        "error-not-allowed",
    )


def test_10_12_a_notice_tells_of_what_was_done_only(world, admin, bob):
    world.person("fed", kind="federated")
    world.reset(admin, {"user": "fed"}, code=world.code(admin))
    assert world.rows(Job, kind="key-reset") == []
    world.reset(bob, code=world.code(bob))
    assert [to for to, _ in world.queued("key-reset")] == ["bob@x.org"]


def test_10_13_a_reset_that_failed_is_no_200(world, bob, engine):
    break_table(engine, "subscriptions")
    assert world.reset(bob, code=world.code(bob)).status_code == 503
    assert world.has_key(bob)
    assert world.tokens(bob) == 1


def test_10_14_the_defaults_are_no_weaker_than_the_references(world, eve):
    settings = load_settings({"SECRET_KEY": "a key for tests only"})
    assert (settings.email_code_seconds, settings.email_code_tries) == (600, 5)
    assert settings.rate_limit == "10 per minute"
    world.reset(eve)
    (code,) = world.rows(EmailChallenge)
    assert code.expires_at - code.sent_at == 600
