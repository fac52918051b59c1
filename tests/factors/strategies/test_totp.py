"""TOTP and backup codes at a reset, over HTTP (SPEC 2)."""

import hmac

import pyotp
import pytest

from e2ereset.factors.models import BackupCode, Totp
from e2ereset.factors.strategies.totp import backup_digest, matching_steps
from tests.kit.rows import row
from tests.kit.world import error


@row("11.N10", "12.6.5.8", "12.v4.2.8.1", "13.2.9")
@pytest.mark.parametrize("drift", [-60, 60])
def test_a_code_of_a_step_further_off_does_not_pass(world, bob, drift):
    assert error(world.reset(bob, code=bob.totp.at(world.clock.now + drift))) == "totp-invalid"


@row("9.6", "9.7", "10.6", "12.6.5.1", "12.v4.2.8.4")
@pytest.mark.parametrize("drift", [-30, 0, 30])
def test_a_code_passes_once_at_each_offset(world, bob, drift):
    code = bob.totp.at(world.clock.now + drift)
    assert world.reset(bob, code=code).status_code == 200
    world.clock.now += 30
    assert error(world.reset(world.again(bob), code=code)) == "totp-invalid"


@row("9.44")
def test_an_earlier_step_never_passes_after_a_later_one(world, bob):
    old, new = bob.totp.at(world.clock.now - 30), bob.totp.at(world.clock.now)
    assert world.reset(bob, code=new).status_code == 200
    assert error(world.reset(world.again(bob), code=old)) == "totp-invalid"


@row("9.43", "11.N9", "12.v4.2.8.5")
def test_a_spent_code_that_comes_again_is_told_to_caller_and_owner(world, bob):
    code = world.code(bob)
    world.reset(bob, code=code)
    world.clock.now += 11
    response = world.reset(world.again(bob), code=code)
    assert response.json["details"]["codeReused"] is True
    assert response.json["details"]["retryAfter"] == 19  # the next step
    assert response.headers["Retry-After"] == "19"
    assert [to for to, _ in world.queued("totp-replayed")] == ["bob@x.org"]
    assert world.outcomes()[-1][3:] == ("totp", "totp-invalid")


@row("9.50")
def test_nothing_but_a_spent_code_is_told_of(world, bob):
    world.reset(bob, code=world.code(bob))
    world.again(bob)
    for code in ("000000", bob.totp.at(world.clock.now + 60), bob.totp.at(world.clock.now - 60)):
        response = world.reset(bob, code=code)
        assert "codeReused" not in response.json["details"]
        assert "Retry-After" not in response.headers


@row("9.25")
@pytest.mark.parametrize(("address", "told"), [("127.0.0.1", 0), ("203.0.113.9", 1)])
def test_a_code_of_a_sign_in_that_comes_again_alarms_its_owner_from_elsewhere_only(
    world, address, told
):
    carol = world.person("carol", totp=True, password="pw")
    data = world.login("carol", code=world.code(carol)).json["data"]
    carol.headers = {"X-User-Id": carol.id, "X-Auth-Token": data["authToken"]}
    response = world.reset(carol, code=world.code(carol), environ_base={"REMOTE_ADDR": address})
    assert response.json["details"]["codeReused"] is True
    assert [to for to, _ in world.queued("totp-replayed")] == ["carol@x.org"] * told


@row("9.25")
def test_a_code_that_comes_again_at_another_sign_in_alarms_the_owner(world):
    carol = world.person("carol", totp=True, password="pw")
    answers = [world.login("carol", code=world.code(carol)) for _ in range(2)]
    assert answers[1].json["details"]["codeReused"] is True
    assert len(world.queued("totp-replayed")) == 1


def test_no_handle_of_a_sign_in_is_stored_with_its_code(world, bob):
    world.reset(bob, code=world.code(bob))
    (row,) = world.rows(Totp)
    assert row.last_address == "127.0.0.1"
    assert bob.id not in row.last_sign_in


@row("12.11.2.4")
@pytest.mark.parametrize("step", [99, 100, 101, None])
def test_every_step_is_compared_and_in_constant_time(monkeypatch, step):
    secret, compared, compare = pyotp.random_base32(), [], hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda *a: compared.append(1) or compare(*a))
    code = "-" * 6 if step is None else pyotp.TOTP(secret).generate_otp(step)
    found = matching_steps(secret, code, now=3000, window=1)
    assert (step is None) or step in found
    assert len(compared) == 3


# Backup codes


@row("11.N12")
def test_there_are_twelve_backup_codes_of_eight_characters(bob):
    assert [len(code) for code in bob.backup_codes] == [8] * 12
    assert not set("".join(bob.backup_codes)) & set("01ILOilo")


@row("10.7", "11.N12", "12.6.5.1")
def test_a_backup_code_passes_once_in_any_case_and_is_mailed(world, bob):
    code = bob.backup_codes[0]
    assert world.reset(bob, code=code.lower()).status_code == 200
    assert world.queued("backup-code-used")[0][1]["left"] == 11
    assert len(world.rows(BackupCode)) == 11
    assert error(world.reset(world.again(bob), code=code)) == "totp-invalid"


@row("9.20")
def test_a_backup_code_of_somebody_else_is_worth_nothing(world, bob):
    dave = world.person("dave", totp=True)
    assert error(world.reset(dave, code=bob.backup_codes[0])) == "totp-invalid"
    assert len(world.rows(BackupCode, account_id=bob.id)) == 12


@row("10.7", "11.N12", "12.6.5.2")
def test_backup_codes_are_stored_as_digests(world, bob):
    code, kept = bob.backup_codes[0], {found.digest for found in world.rows(BackupCode)}
    assert len(kept) == 12
    assert not any(code in digest for digest in kept for code in bob.backup_codes)
    for key, account, found in (
        (bob.totp.secret, bob.id, True),
        (bob.totp.secret, "another", False),
        (world.rows(Totp)[0].secret, bob.id, False),
        ("", bob.id, False),
    ):
        assert (backup_digest(key, account, code) in kept) is found
