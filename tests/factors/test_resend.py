"""`users.2fa.sendEmailCode`: strangers cannot hurt the owner (SPEC 2, Email)."""

import pytest

from e2ereset.factors.models import EmailChallenge
from e2ereset.jobs import IDLE, URGENT
from e2ereset.jobs.models import Job
from e2ereset.testing import Mailbox, MemoryAccounts, enable_email, make_account
from tests.kit.client import SEND_CODE
from tests.kit.rows import row
from tests.kit.world import error


def ask(world, name="eve", headers=None):
    """Ask for a fresh code, and have the worker come by; how many codes were mailed by it."""
    before = world.count_codes()
    response = world.ask_again(name, headers)
    assert (response.status_code, response.data) == (200, b'{"success":true}')
    return world.count_codes() - before


def request_code(world, name, headers=None):
    """Ask for a fresh code, which no worker comes by to mail."""
    return world.client.post(SEND_CODE, json={"emailOrUsername": name}, headers=headers)


def stranger(world):
    """A code mailed as a stranger asked for it, without the worker taking it away."""
    codes = world.runtime.codes
    asked = {"name": "eve", "account": "", "address": "", "agent": ""}
    assert codes.answer(asked, None, world.clock.now)
    return world.mailed_code()


@pytest.fixture
def first(world, eve):
    """The code that eve was mailed for a reset."""
    world.reset(eve)
    return world.mailed_code()


def test_the_code_in_the_owners_hand_stays_good(world, eve, first):
    for _ in range(5):
        ask(world)
        world.clock.now += 90
    assert world.reset(eve, code=first).status_code == 200


def test_one_success_burns_both(world, eve, first):
    assert world.reset(eve, code=stranger(world)).status_code == 200
    assert error(world.reset(world.again(eve), code=first)) == "totp-invalid"


@row("9.36")
def test_a_third_takes_the_place_of_the_second(world, eve, first):
    second, third = stranger(world), stranger(world)
    assert error(world.reset(eve, code=second)) == "totp-invalid"
    assert world.reset(eve, code=third).status_code == 200


def test_each_code_dies_at_its_own_time(world, eve, first):
    world.clock.now += 400
    second = stranger(world)
    world.clock.now += 200
    assert error(world.reset(eve, code=first)) == "totp-invalid"
    assert world.reset(eve, code=second).status_code == 200


def test_a_second_code_of_before_a_step_back_dies_at_its_own_time(world, eve, first):
    world.clock.now -= 90
    second = stranger(world)
    world.clock.now += 605
    assert error(world.reset(eve, code=second)) == "totp-invalid"
    assert world.reset(eve, code=first).status_code == 200


def test_a_second_code_moves_up_when_the_first_has_expired(world, eve, first):
    world.clock.now += 400
    second = stranger(world)
    world.clock.now += 200
    assert stranger(world) != second
    assert world.reset(eve, code=second).status_code == 200


@row("9.35")
def test_tries_count_over_both(world, eve, first):
    world.wrong(eve, 3)
    second = stranger(world)
    assert world.wrong(eve, 3) == ["totp-invalid"] * 2 + ["totp-max-attempts"]
    world.clock.now += 300
    assert error(world.reset(eve, code=second)) == "totp-invalid"


def test_a_fresh_code_replaces_what_wrong_tries_have_killed(world, eve, first):
    world.wrong(eve, 5)
    world.clock.now += 300
    fresh = stranger(world)
    assert error(world.reset(eve, code=first)) == "totp-invalid"
    assert world.reset(eve, code=fresh).status_code == 200


def test_a_challenge_says_that_two_live(world, eve, first):
    world.clock.now += 60
    stranger(world)
    details = world.reset(eve).json["details"]
    assert details["codeCount"] == 2
    assert details["codeExpires"] == ["2027-01-15T08:10:00.000Z", "2027-01-15T08:11:00.000Z"]


@row("9.4", "12.6.6.4")
def test_strangers_have_two_sent_in_ten_minutes_and_five_a_day(world, first):
    assert [ask(world) for _ in range(3)] == [1, 1, 0]
    for _ in range(10):
        world.clock.now += 600
        ask(world)
    assert world.count_codes() == 1 + 5


@row("13.auth.4")
def test_strangers_never_spend_the_owners_sends(world, eve, first):
    for _ in range(40):
        world.clock.now += 60
        ask(world)
    assert ask(world, headers=eve.headers) == 1
    for _ in range(4):
        world.clock.now += 600
        assert world.reset(eve).json["details"]["codeGenerated"] is True


@row("13.mfa.9")
def test_the_owner_who_is_signed_in_replaces_and_draws_from_the_normal_budget(world, eve, first):
    stranger(world)
    assert ask(world, headers=eve.headers) == 0  # one in thirty seconds
    world.clock.now += 31
    assert ask(world, headers=eve.headers) == 1
    assert [row.extra_digest for row in world.rows(EmailChallenge)] == [None]
    assert error(world.reset(eve, code=first)) == "totp-invalid"


@pytest.mark.parametrize("name", ["eve", "eve@x.org", "nobody", ""])
def test_who_is_signed_in_gets_the_code_whatever_name_the_body_holds(world, first, name):
    mallory = world.person("mallory", email=True)
    world.reset(mallory)
    world.clock.now += 31
    assert ask(world, name, headers=mallory.headers) == 1
    assert [job.recipient for job in world.rows(Job, kind="code")].count("eve@x.org") == 1


def test_a_dead_sign_in_is_a_stranger(world, eve, first):
    assert ask(world, headers={"X-User-Id": eve.id, "X-Auth-Token": "gone"}) == 1
    assert world.rows(EmailChallenge)[0].extra_digest is not None


def test_a_username_with_an_at_is_found_where_addresses_are_not_looked_up(make_host):
    account = make_account("eve@home", emails=("eve@x.org",))
    host = make_host(accounts=MemoryAccounts(account))
    enable_email(host.app, account)
    assert host.reset(account).json["errorType"] == "totp-required"
    host.runtime.codes.ask("EVE@home", int(host.clock()), address="", agent="")
    host.runtime.worker.run_due()
    assert host.count(EmailChallenge) == 1
    assert host.count(Job) == 3  # that codes were enabled, and two codes


def test_a_username_with_an_at_is_found_where_no_address_is_like_it(world):
    eve = world.person("eve@home", email=True, emails=["eve@x.org"])
    world.reset(eve)
    assert ask(world, "Eve@Home") == 1


def test_a_code_for_another_target_is_left_alone(world, bob):
    admin = world.person("root", email=True, roles=["admin"])
    world.reset(admin, {"username": "bob"})
    code = world.mailed_code()
    ask(world, "root")
    assert world.reset(admin, {"username": "bob"}, code=code).status_code == 200


def test_the_owners_request_is_looked_at_before_those_of_strangers(world, eve):
    for name in ("nobody", "eve"):
        request_code(world, name)
    request_code(world, "eve", eve.headers)
    rows = world.rows(Job, kind="code-asked")
    assert [row.urgency for row in rows] == [IDLE, IDLE, URGENT]


# What anybody gets as an answer, and what it mails


@pytest.mark.parametrize("name", ["eve", "EVE", "eve@x.org", "EVE@X.ORG"])
def test_a_pending_code_is_mailed_afresh(world, eve, first, name):
    world.clock.now += 31
    response = world.ask_again(name)
    assert (response.status_code, response.data) == (200, b'{"success":true}')
    assert world.count_codes() == 2
    code = Mailbox(world.app).code_for("eve@x.org")
    assert world.reset(eve, code=code).status_code == 200


@row("9.4")
@pytest.mark.parametrize("name", ["nobody", "nobody@x.org", "", "eve"])
def test_without_a_pending_action_nothing_is_mailed_and_the_answer_is_the_same(world, eve, name):
    response = world.ask_again(name)
    assert (response.status_code, response.data) == (200, b'{"success":true}')
    assert world.count_codes() == 0


@row("12.6.3.8", "13.forgot.1")
def test_known_and_unknown_names_get_one_answer(world, first):
    answers = [request_code(world, n) for n in ("eve", "nix")]
    assert answers[0].data == answers[1].data
    assert {"X-Request-Id"} >= {
        name for name, value in answers[0].headers if answers[1].headers[name] != value
    }


@pytest.mark.parametrize("name", ["nobody", "eve", "x" * 10_000])
def test_the_answer_comes_before_any_look_at_who_it_is(world, first, name):
    before = world.rows(EmailChallenge)[0].sent_at
    world.clock.now += 31
    request_code(world, name)
    assert world.rows(EmailChallenge)[0].sent_at == before
    assert len(world.rows(Job, kind="code-asked")) == 1


def test_one_who_asks_again_and_again_waits_once(world, eve):
    for name in ("eve", "EVE", "nobody", "eve", "Nobody"):
        answer = request_code(world, name)
        assert answer.data == b'{"success":true}'
    assert len(world.rows(Job, kind="code-asked")) == 2


def test_a_code_asked_for_long_ago_is_not_mailed(world, first):
    world.clock.now += 31
    request_code(world, "eve")
    world.clock.now += 600
    world.runtime.worker.run_due()
    assert world.count_codes() == 1


@pytest.mark.parametrize("body", [{}, {"emailOrUsername": 1}, {"emailOrUsername": "a", "x": 1}])
def test_a_bad_body_is_400(world, body):
    assert world.client.post(SEND_CODE, json=body).json["errorType"] == "invalid-params"


@row("9.34", "10.3")
def test_nothing_is_mailed_while_the_tries_are_spent(world, eve, first):
    world.wrong(eve, 5)
    world.clock.now += 31
    world.ask_again("eve")
    assert error(world.reset(eve)) == "totp-max-attempts"
    assert world.count_codes() == 1
