"""Races over HTTP: nothing single-use is used twice, and no budget leaks between workers."""

import time
from collections import Counter
from functools import partial

import pytest

from tests.kit.client import ME, SEND_CODE
from tests.kit.databases import served_database
from tests.kit.live import at_once, make_live
from tests.kit.network import wait_for
from tests.kit.rows import row

pytestmark = pytest.mark.slow

BUDGET = 5  # tries in 5 minutes


@pytest.fixture(scope="module")
def live(tmp_path_factory, served_on):
    folder = tmp_path_factory.mktemp("races")
    with served_database(served_on) as uri, make_live(folder, uri) as live:
        yield live


def race(live, caller, target, codes, method):
    """One reset for each code, all released at once; the answers."""
    return at_once([partial(live.reset, caller, target, code=c, method=method) for c in codes])


def wrong_totp_codes(user, count):
    """Codes that no step near the present one makes."""
    now = int(time.time())
    near = {user.totp.at(now + 30 * step) for step in range(-4, 10)}
    return [code for code in map("{:06d}".format, range(count + 20)) if code not in near][:count]


def assert_one_success(answers):
    counts = Counter((a.status, a.error) for a in answers)
    assert counts.pop((200, None)) == 1, counts
    assert set(counts) <= {(400, "totp-invalid"), (400, "totp-max-attempts")}


def assert_within_budget(answers):
    refused = [a for a in answers if a.error == "totp-max-attempts"]
    assert [a.error for a in answers].count("totp-invalid") == BUDGET
    assert len(refused) == len(answers) - BUDGET
    for answer in refused:
        assert answer.status == 400
        assert 0 < answer.body["details"]["retryAfter"] <= 300
        assert answer.headers["Retry-After"] == str(answer.body["details"]["retryAfter"])


def assert_both_workers_served(live, before):
    assert len(live.served_by() - before) == 2


@row("9.5")
def test_one_totp_code_serves_one_of_fifty_requests(live):
    admin, bob = live.user("totp-admin", "admin", totp=True), live.user("totp-bob")
    before = live.served_by()
    code = admin.totp.now()
    assert_one_success(race(live, admin, bob, [code] * 50, "totp"))
    assert_both_workers_served(live, before)
    assert not live.cli("user", "show", bob.name)["keySet"]


@row("9.31")
def test_one_backup_code_serves_one_of_fifty_requests(live):
    admin, bob = live.user("backup-admin", "admin", totp=True), live.user("backup-bob")
    code = admin.backup_codes[0]
    assert_one_success(race(live, admin, bob, [code] * 50, "totp"))
    assert live.cli("user", "show", admin.name)["backupCodesLeft"] == 11


@row("10.4")
def test_one_mailed_code_serves_one_of_fifty_requests(live):
    admin, bob = live.user("mail-admin", "admin", email=True), live.user("mail-bob")
    assert live.reset(admin, bob).error == "totp-required"
    code = live.inbox.code_for(admin.address)
    assert_one_success(race(live, admin, bob, [code] * 50, "email"))


def test_two_live_mailed_codes_serve_one_of_fifty_requests(live):
    admin, bob = live.user("twice-admin", "admin", email=True), live.user("twice-bob")
    assert live.reset(admin, bob).error == "totp-required"
    first, now = live.inbox.code_for(admin.address), time.time()
    assert live.call("POST", SEND_CODE, {}, {"emailOrUsername": admin.name}).status == 200
    second = wait_for(lambda: live.inbox.newest_code(admin.address, now), "the second code")
    assert_one_success(race(live, admin, bob, [first, second] * 25, "email"))


@row("9.49")
def test_fifty_own_resets_with_one_code_make_one_and_end_the_sign_in(live):
    user = live.user("own-race", totp=True)
    answers = race(live, user, None, [user.totp.now()] * 50, "totp")
    assert sum(a.status == 200 for a in answers) == 1
    assert live.call("GET", ME, user.headers).status == 401


@row("9.11", "9.18")
def test_of_two_hundred_wrong_totp_codes_the_budget_is_looked_at(live):
    admin, bob = live.user("totp-guesser", "admin", totp=True), live.user("totp-victim")
    before = live.served_by()
    assert_within_budget(race(live, admin, bob, wrong_totp_codes(admin, 200), "totp"))
    assert_both_workers_served(live, before)
    assert live.cli("user", "show", bob.name)["keySet"]


def test_of_two_hundred_wrong_backup_codes_the_budget_is_looked_at(live):
    admin, bob = live.user("backup-guesser", "admin", totp=True), live.user("backup-victim")
    codes = [f"AAAA{n:04d}".replace("0", "B").replace("1", "C") for n in range(2222, 2422)]
    assert_within_budget(race(live, admin, bob, codes, "totp"))
    assert live.cli("user", "show", admin.name)["backupCodesLeft"] == 12


def test_of_two_hundred_wrong_mailed_codes_the_budget_is_looked_at(live):
    admin, bob = live.user("mail-guesser", "admin", email=True), live.user("mail-victim")
    assert live.reset(admin, bob).error == "totp-required"
    right = live.inbox.code_for(admin.address).replace("-", "")
    codes = [f"{(int(right) + n) % 10**6:06d}" for n in range(1, 201)]
    assert_within_budget(race(live, admin, bob, codes, "email"))
