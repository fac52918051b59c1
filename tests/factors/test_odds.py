"""The odds of guessing, held against the real budgets; and `limits`, which shows them."""

import json
import re
from functools import partial
from itertools import product

import pytest

from e2ereset import get_e2ereset
from e2ereset.factors.odds import most_in, seconds_shut, secrets_of, soonest
from e2ereset.settings import load_settings

DEFAULT = ((300, 5), (3600, 20), (86400, 50))


def secret(what, **changes):
    settings = load_settings({"SECRET_KEY": "k" * 16} | changes)
    secrets = secrets_of(settings, ("totp", "email", "password"))
    return next(secret for secret in secrets if secret.what == what)


@pytest.fixture
def passed(app):
    """Guesses at these times against the real budgets; the times of those that were counted."""
    runtime = get_e2ereset(app)

    def passed(times):
        with runtime.transactions.begin() as session:
            charge = partial(runtime.budgets.charge_in, session, "bob", "verify:totp")
            return [now for now in times if charge(windows=DEFAULT, now=now)]

    return passed


@pytest.mark.parametrize(
    ("times", "length", "most"),
    [
        ([299] * 50 + [300] * 50, 300, 9),
        ([at for at in range(1801, 5401, 10) for _ in range(5)], 3600, 39),
        ([at for at in range(43201, 43201 + 86400, 600) for _ in range(5)], 86400, 99),
    ],
    ids=["two windows that meet", "an hour", "a day"],
)
def test_the_most_that_is_said_can_really_be_tried(passed, times, length, most):
    assert passed([0]) == [0]
    assert len(passed(times)) == most == most_in(DEFAULT, length)


def test_no_stretch_lets_through_more_than_is_said(passed):
    # Often where windows meet, seldom where the day's is full.
    times = [*range(0, 7800, 150), *range(7800, 86100, 3600), *range(86100, 2 * 86400, 1200)]
    found = passed(at for at, _ in product(times, range(5)))
    for length in (300, 3600, 86400):
        most = max(sum(at <= x < at + length for x in found) for at in found)
        assert most <= most_in(DEFAULT, length)


def test_a_guesser_who_goes_on_spends_the_day_in_the_time_that_is_said(passed):
    assert len(passed(at for at in range(0, 7501, 300) for _ in range(5))) == 50
    assert soonest(DEFAULT, 50) == 7500
    assert seconds_shut(DEFAULT) == 86400 - 7500


@pytest.mark.parametrize(
    ("windows", "seconds", "most"),
    [
        (DEFAULT, 365 * 86400, 365 * 50 + 49),
        (((300, 1), (3600, 40), (86400, 100)), 3600, 12),
        (((300, 10), (3600, 20), (86400, 100)), 3600, 39),
    ],
)
def test_the_tightest_window_holds(windows, seconds, most):
    assert most_in(windows, seconds) == most


@pytest.mark.parametrize(("window", "live"), [(0, 1), (1, 3)])
def test_the_odds_of_a_totp_code(window, live):
    chance = secret("code", E2ERESET_TOTP_WINDOW=window).chance(86400)
    assert chance == pytest.approx(1 - (1 - live / 10**6) ** 99)


def test_the_tries_at_one_mailed_code_add_up():
    chance = secret("mailed code").chance(86400)
    assert chance == pytest.approx(1 - (1 - 10 / 10**6) ** 19 * (1 - 8 / 10**6))


def test_a_longer_code_is_harder_by_as_much():
    long, short = secret("mailed code", E2ERESET_EMAIL_CODE_DIGITS=8), secret("mailed code")
    assert short.chance(3600) / long.chance(3600) == pytest.approx(100, rel=1e-3)


def test_a_budget_of_sends_can_be_what_holds():
    few = secret("mailed code", E2ERESET_SENDS_PER_DAY=1, E2ERESET_EMAIL_CODE_TRIES=1)
    assert few.tries(86400) == 1 + 9  # one of the owner's, five and four that strangers ask for


def test_backup_codes_are_twelve_of_31_to_the_8th():
    assert secret("backup code").chance(86400) == pytest.approx(99 * 12 / 31**8)


def test_many_accounts_at_once_fall_sooner():
    code = secret("code")
    assert code.chance(3600, 1000) == pytest.approx(1 - (1 - code.chance(3600)) ** 1000)


# `limits`


def test_nothing_is_said_of_the_strength_of_passwords(done):
    password = done("limits")["factors"][-1]
    assert password["method"] == "password"
    assert password["space"] is None
    assert password["chances"]["1"]["year"] is None
    assert password["tries"]["day"] == 99


def test_what_is_shown_is_of_the_settings(with_settings):
    app = with_settings(E2ERESET_TRIES_PER_5_MINUTES=10, E2ERESET_METHODS=["totp"]).app
    data = json.loads(app.test_cli_runner().invoke(args=["limits", "--json"]).output)
    assert {factor["method"] for factor in data["factors"]} == {"totp"}
    assert data["factors"][0]["tries"]["5 minutes"] == 19
    assert data["lockout"]["windows"][0] == {"seconds": 300, "tries": 10}


def test_people_get_one_screen_without_a_secret(run, config):
    output = run("limits").output
    assert output == run("limits", "--odds").output
    assert output.count("\n") <= 24
    assert max(map(len, output.splitlines())) <= 100
    assert re.search(r"totp, code +year +18299 +0\.0534 +1 ", output)
    assert "keeps a method shut for its owner for 78900 s a day" in output
    assert config["SECRET_KEY"] not in output + run("limits", "--json").output
