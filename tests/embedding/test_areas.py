"""A host has the routes of the areas that it switches on, and no others."""

import json
import subprocess
import sys
from functools import partial

import pytest
from flask_sqlalchemy import SQLAlchemy

from e2ereset import Caller, E2EReset, extension
from e2ereset.errors import HostError, SettingsError
from e2ereset.records import UNKNOWN_AGE
from e2ereset.testing import MemoryAccounts, TotpDevice, make_account
from tests.kit.host import BOB
from tests.kit.rows import row

RESET = {
    "users.resetE2EKey",
    "users.resetE2EKey.preview",
    "users.2fa.sendEmailCode",
    "users.unlockFactor",
}
DOCUMENT = {"openapi.json", "openapi.html"}  # of the areas that are on
KEYS = {"e2e.setUserPublicAndPrivateKeys", "e2e.fetchMyKeys"}


def routes(host):
    """The names of the routes below the prefix."""
    rules = (rule.rule for rule in host.app.url_map.iter_rules())
    return {
        rule.removeprefix("/api/v1/") for rule in rules if rule.startswith("/api/v1/")
    } - DOCUMENT


def test_a_host_has_the_resets_alone_unless_it_says_more():
    assert E2EReset(db=SQLAlchemy(), accounts=MemoryAccounts(), identify=dict).areas == ("reset",)


@pytest.mark.parametrize(
    ("areas", "expected"),
    [(["reset"], RESET), ("keys", KEYS), (("keys", "reset"), RESET | KEYS)],
)
def test_an_area_adds_its_routes(make_host, areas, expected):
    assert routes(make_host(options={"areas": areas})) == expected


def test_the_route_of_an_area_that_is_off_is_not_there(make_host):
    host = make_host(options={"areas": ["reset"]})
    assert host.post("/api/v1/e2e.setUserPublicAndPrivateKeys", BOB).status_code == 404


def test_without_the_area_of_resets_no_method_resets(make_host):
    host = make_host(options={"areas": ["factors"]})
    message = json.dumps({"method": "e2e.resetOwnE2EKey", "params": []})
    answer = host.post("/api/v1/method.call/any", BOB, host.code(), json={"message": message})
    assert json.loads(answer.json["message"])["error"]["error"] == 404
    # What a proof needs is there.
    assert RESET - routes(host) == {"users.resetE2EKey", "users.resetE2EKey.preview"}


@pytest.mark.parametrize("areas", [[], ["resets"], ["reset", "rooms"], "all"])
def test_an_area_that_is_unknown_refuses_to_start(areas):
    with pytest.raises(SettingsError, match="reset, keys, factors"):
        E2EReset(db=SQLAlchemy(), accounts=MemoryAccounts(), identify=dict, areas=areas)


@pytest.mark.parametrize("prefix", ["url_prefix", "pages_prefix"])
def test_a_prefix_begins_with_a_slash_and_ends_without(prefix):
    make = partial(E2EReset, db=SQLAlchemy(), accounts=MemoryAccounts(), identify=dict)
    with pytest.raises(SettingsError, match=rf"{prefix} is 'mine/'\. Write it like '/mine'\."):
        make(**{prefix: "mine/"})
    assert [getattr(make(**{prefix: p}), prefix) for p in ("/mine/", "/", "")] == ["/mine", "", ""]


class WithSessions(MemoryAccounts):
    """Accounts of a host that keeps sign-ins, and notes which it was told to keep."""

    def __init__(self, *accounts):
        super().__init__(*accounts)
        self.kept = []

    def end_other_sessions(self, _session, account_id, sign_in):
        self.kept.append((account_id, sign_in))
        return 1


@pytest.fixture
def young(make_host):
    """A host whose bob signed in a minute ago, and is enrolled in TOTP by the routes."""
    host = make_host(accounts=WithSessions(BOB), identify=lambda: host.caller)
    host.caller = Caller(account=BOB, sign_in="one", signed_in_at=host.clock.now - 60)
    secret = host.post("/api/v1/users.enableTotp").json["secret"]
    host.phone = TotpDevice(secret, host.clock)
    body = {"code": host.phone.next_code()}
    assert host.post("/api/v1/users.validateTotp", json=body).status_code == 200
    return host


def test_a_host_ends_the_other_sign_ins_of_who_enrols(young):
    assert young.accounts.kept == [(BOB.id, "one")]


@pytest.mark.parametrize(
    ("began", "refused"), [(-60, "error-two-factor-not-available"), (0, None), (None, None)]
)
def test_a_factor_of_ones_own_proves_a_sign_in_that_began_later(young, began, refused):
    since = None if began is None else young.clock.now + began
    young.caller = Caller(account=BOB, signed_in_at=since)
    answer = young.reset(BOB, young.phone.next_code())
    assert answer.json.get("errorType") == refused


PAT = make_account("pat", has_password=True)
DIGEST = "a" * 64


class WithPassword(MemoryAccounts):
    """The password of pat."""

    def check_password(self, _session, account_id, digest):
        return (account_id, digest) == (PAT.id, DIGEST)


@row("9.12")
@pytest.mark.parametrize("without", ["refuse", "allow"])
def test_a_remembered_sign_in_does_not_pass_a_factor_by_the_password(make_host, without):
    """Who knows the password only signs in with "remember me", and drops the session's cookie."""
    options = {"identify": lambda: host.caller, "E2ERESET_WITHOUT_METHOD": without}
    host = make_host(accounts=WithPassword(PAT), **options)
    host.caller = Caller(account=PAT, signed_in_at=UNKNOWN_AGE)
    assert host.reset(PAT, DIGEST).status_code == 200  # there is no factor yet
    secret = host.post("/api/v1/users.enableTotp", PAT, DIGEST).json["secret"]
    phone = TotpDevice(secret, host.clock)
    code = {"code": phone.next_code()}
    assert host.post("/api/v1/users.validateTotp", json=code).status_code == 200
    host.clock.tick(30)
    for code in (DIGEST, None, phone.next_code()):
        refused = host.reset(PAT, code).json["errorType"]
        assert refused == "error-two-factor-not-available"
    host.clock.tick(30)
    host.caller = Caller(account=PAT, signed_in_at=host.clock.now)
    assert host.reset(PAT, phone.next_code()).status_code == 200


def test_a_factor_that_the_host_enrols_proves_every_sign_in(make_host):
    host = make_host(identify=lambda: Caller(account=BOB, signed_in_at=1))
    assert host.reset(BOB, host.code()).status_code == 200


def test_a_time_of_a_sign_in_that_is_no_number_is_the_hosts_error():
    with pytest.raises(HostError, match=r"Caller\.signed_in_at must be a whole number"):
        Caller(account=BOB, signed_in_at="now")


def test_pages_without_what_draws_their_qr_codes_refuse_to_start(make_host, monkeypatch):
    monkeypatch.setattr(extension, "find_spec", lambda _name: None)
    with pytest.raises(SettingsError, match=r"Install e2ereset\[pages\]"):
        make_host(options={"areas": ["pages"]})


@pytest.mark.slow
def test_a_host_that_has_just_started_makes_every_table_of_the_pages():
    script = "import e2ereset.hostdb as h; tables = set(h.Base.metadata.tables)"
    script += "; import e2ereset.pages.routes; print(*set(h.Base.metadata.tables) - tables)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout.split(), done.stderr) == ([], "")


@pytest.mark.slow
def test_a_host_loads_only_what_it_has_switched_on():
    script = "import sys, e2ereset; print(*sys.modules); import e2ereset.pages.routes as p"
    script += "; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout
    host, with_pages = (set(line.split()) for line in said.splitlines())
    ours = ("adapters", "pages", "kept.service", "factors.own_passkeys")
    ours += ("factors.passkey_codes", "audit.outsiders", "audit.maintenance", "audit.verify")
    libraries = {"fido2", "segno", "flask_login", "argon2", "alembic", "zoneinfo"}
    assert host & ({f"e2ereset.{name}" for name in ours} | libraries) == set()
    assert with_pages & {"fido2", "argon2", "alembic"} == set()
