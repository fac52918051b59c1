"""Passkeys: what is signed is good for one account, action, target and plan, and once."""

import sys
from hashlib import sha256

import pytest
from fido2.utils import websafe_encode
from sqlalchemy import insert, select, update

from e2ereset.errors import SettingsError, StrategyError
from e2ereset.factors import passkeys as sql
from e2ereset.factors.strategies import resolve
from e2ereset.factors.strategies.passkey import PasskeyStrategy
from e2ereset.factors.webauthn import RelyingParty
from e2ereset.jobs.models import Job
from e2ereset.records import Action
from e2ereset.settings import load_settings
from e2ereset.testing import StrategyContract, make_account
from tests.kit.authenticator import Authenticator

RESET = Action(name="reset-e2e-key", target="bob", plan="a plan")


def give(session, account, authenticator, **facts):
    """Store this passkey for an account."""
    row = {
        "id": sha256(authenticator.credential_id).hexdigest(),
        "account_id": account.id,
        "name": "a key",
        "credential": websafe_encode(bytes(authenticator.credential)),
        "transports": "internal",
        "counter": 0,
        "created_at": 1,
        **facts,
    }
    session.execute(insert(sql.PASSKEYS), row)


class TestPasskey(StrategyContract):
    strategy_class = PasskeyStrategy
    binds_action = True

    def enable(self, bench, account):
        made = Authenticator(credential_id=account.id.encode())
        with bench.transactions.begin() as session:
            give(session, account, made)
        if account == bench.bob:
            self.key = made

    def asked(self, bench, **changes):
        """The options of bob's challenge."""
        with bench.trying(**changes) as attempt:
            found = bench.strategy.pending(attempt) or bench.strategy.challenge(attempt)
            return found.details["publicKey"]

    def right_code(self, bench, attempt):
        return self.key.sign(bench.strategy.challenge(attempt).details["publicKey"])

    def told(self, bench):
        with bench.trying() as attempt:
            return [job.kind for job in attempt.session.scalars(select(Job))]

    def test_what_is_asked(self, bench):
        options = self.asked(bench, action=RESET)
        assert options == self.asked(bench, action=RESET)  # it is pending
        assert (options["rpId"], options["userVerification"]) == ("app.example.org", "required")
        assert [one["transports"] for one in options["allowCredentials"]] == [["internal"]]

    @pytest.mark.parametrize("field", ["name", "target", "plan"])
    def test_it_is_for_one_action_target_and_plan(self, bench, field):
        code = self.key.sign(self.asked(bench, action=RESET))
        other = Action(**{"name": "reset-e2e-key", "target": "bob", "plan": "a plan", field: "x"})
        assert not bench.verify(code, action=other)
        self.asked(bench, action=other)  # even if that one is asked for, too
        assert not bench.verify(code, action=other)
        if field == "name":
            assert bench.verify(code, action=RESET)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"verifies": False},
            {"origin": "https://evil.example"},
            {"origin": "https://app.example.org:444"},
            {"rp_id": "evil.example"},
            {"framed": True},
            {"credential_id": b"another"},
            {"key": Authenticator().key},
        ],
        ids=lambda wrong: " ".join(map(str, wrong)),
    )
    def test_what_is_refused(self, bench, wrong):
        options = self.asked(bench)
        assert not bench.verify(self.key.but(**wrong).sign(options))
        assert bench.verify(self.key.sign(options))

    def test_it_is_of_its_owner(self, bench):
        options = self.asked(bench)
        self.enable(bench, bench.eve)
        evil = self.key.but(credential_id=b"eve", key=Authenticator().key)
        assert not bench.verify(evil.sign(options))
        assert not bench.verify(self.key.sign(options), bench.eve)

    def test_it_lives_five_minutes(self, bench, code):
        bench.clock.tick(300)
        assert not bench.verify(code)

    @pytest.mark.parametrize(("signed", "passes"), [(4, False), (5, False), (0, False), (6, True)])
    def test_a_counter_has_to_grow(self, bench, signed, passes):
        with bench.transactions.begin() as session:
            session.execute(update(sql.PASSKEYS).values(counter=5))
        assert bench.verify(self.key.but(counter=signed).sign(self.asked(bench))) is passes
        assert ("passkey-copied" in self.told(bench)) is not passes

    def test_one_that_does_not_count_passes_again(self, bench):
        for _ in range(2):
            assert bench.verify(self.key.sign(self.asked(bench)))
        assert self.told(bench) == []

    def test_one_that_is_younger_than_the_sign_in_is_no_proof(self, bench, code):
        with bench.transactions.begin() as session:
            session.execute(update(sql.PASSKEYS).values(counts_from=100))
        assert not bench.verify(code, signed_in_at=99)
        assert bench.verify(code, signed_in_at=100)

    def test_strangers_start_nothing(self, bench):
        with bench.trying() as attempt:
            assert bench.strategy.another(attempt) is None


@pytest.mark.parametrize("made", [sql.digest_of, sql.code_of])
def test_what_is_signed_is_made_of_the_actor_the_action_the_target_and_the_plan(made):
    bob, facts = make_account("bob"), {"name": "reset-e2e-key", "target": "bob", "plan": "a plan"}
    same, others = Action(**facts, phrase="other words"), [{field: "x"} for field in facts]
    digests = {made(bob, Action(**(facts | other)), "nonce") for other in others}
    digests |= {made(bob, RESET, "other"), made(make_account("eve"), RESET, "nonce")}
    assert len(digests - {made(bob, RESET, "nonce")}) == 5
    assert made(bob, same, "nonce") == made(bob, RESET, "nonce")


class TestShownCode(StrategyContract):
    """The code that a page shows."""

    strategy_class = PasskeyStrategy
    binds_action = True
    enable = TestPasskey.enable

    def right_code(self, bench, attempt):
        account, action, now, code = attempt.account, attempt.action, attempt.now, "12345670"
        bench.strategy.challenge(attempt)
        digest = bench.parts.keyring.digest(*sql.code_of(account, action, code))
        live = sql.live_for(account, action, now)
        attempt.session.execute(sql.SHOW_CODE, {**live, "digest": digest, "until": now + 60})
        return code

    def test_it_is_dead_after_five_wrong_tries(self, bench, code):
        for _ in range(5):
            assert not bench.verify("00000000")
        assert not bench.verify(code)

    def test_it_lives_sixty_seconds(self, bench, code):
        bench.clock.tick(60)
        assert not bench.verify(code)


@pytest.mark.parametrize(
    ("url", "more", "right"),
    [
        ("https://chat.example.org/security", {}, True),
        ("https://chat.example.org", {"PASSKEY_RP_ID": "example.org"}, True),
        ("http://localhost:3000/security", {}, True),
        ("https://chat.example.org", {"PASSKEY_RP_ID": "org"}, False),
        ("https://chat.example.org", {"PASSKEY_RP_ID": "other.org"}, False),
        ("http://chat.example.org", {}, False),
        ("", {}, False),
    ],
)
def test_the_site_is_a_setting(url, more, right):
    config = {"SECRET_KEY": "a key for tests only", "E2ERESET_PAGES_URL": url}
    settings = load_settings(config | {f"E2ERESET_{name}": text for name, text in more.items()})
    if right:
        assert RelyingParty(settings).origins
    else:
        with pytest.raises(StrategyError, match="E2ERESET_PAGES_URL"):
            RelyingParty(settings)


def test_pages_of_other_origins_that_are_named_use_the_same_passkeys():
    named = {"PAGES_URL": "https://chat.example.org", "PASSKEY_RP_ID": "example.org"}
    named["PASSKEY_ORIGINS"] = ["https://m.example.org"]
    config = {f"E2ERESET_{name}": value for name, value in named.items()}
    party = RelyingParty(load_settings(config | {"SECRET_KEY": "a key for tests only"}))
    key, challenge = Authenticator(rp_id="example.org"), b"c" * 32
    known = websafe_encode(bytes(key.credential))
    options = party.request(challenge, [(known, "")], 300)
    right = [
        host
        for host in ("chat", "m", "evil")
        if party.check(
            key.but(origin=f"https://{host}.example.org").sign(options), challenge, [known]
        )
    ]
    assert right == ["chat", "m"]


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://App.Example.org/security", "https://app.example.org"),
        ("https://app.example.org:443/security", "https://app.example.org"),
        ("https://app.example.org:444/security", "https://app.example.org:444"),
        ("http://localhost:80/security", "http://localhost"),
    ],
)
def test_the_origin_of_the_pages_is_as_browsers_write_it(url, origin):
    settings = load_settings({"SECRET_KEY": "k" * 16, "E2ERESET_PAGES_URL": url})
    assert RelyingParty(settings).origins == {origin}


@pytest.mark.parametrize(
    "origin", ["https://m.example.org/", "m.example.org", "*", "https://M.org"]
)
def test_an_origin_that_no_browser_sends_is_refused_at_start(origin):
    with pytest.raises(SettingsError, match="E2ERESET_PASSKEY_ORIGINS"):
        load_settings({"SECRET_KEY": "k" * 16, "E2ERESET_PASSKEY_ORIGINS": [origin]})


def test_an_app_has_an_origin_of_its_own():
    app = ["android:apk-key-hash:pNiP5iKyQ8JwgGOaKA1zGPUPJIS0H1XKCQcfIoGLEck"]
    load_settings({"SECRET_KEY": "k" * 16, "E2ERESET_PASSKEY_ORIGINS": app})


def test_without_fido2_the_app_does_not_start(monkeypatch):
    monkeypatch.delitem(sys.modules, "e2ereset.factors.strategies.passkey", raising=False)
    monkeypatch.setitem(sys.modules, "e2ereset.factors.webauthn", None)
    with pytest.raises(StrategyError, match=r"e2ereset\[passkeys\]"):
        resolve(["passkey"], None)
