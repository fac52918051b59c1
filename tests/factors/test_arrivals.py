"""TOTP secrets that accounts bring from elsewhere: `flask e2ereset import totp`."""

import json

import pyotp
import pytest
from sqlalchemy import select

from e2ereset import factor_enabled
from e2ereset.errors import EnrolmentInvalid
from e2ereset.factors.arrivals import TouchedHere, read_stored_secret, take_totp
from e2ereset.factors.models import BackupCode, Totp
from tests.kit.commands import error_of, operator_acts
from tests.kit.host import BOB, SUE
from tests.kit.world import error, sha256

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
PASSLIB = {"type": "totp", "v": 1, "key": SECRET}
CODES = ("aB3dE5gH", "Zz9Zz9Zz")


@pytest.fixture
def load(host, tmp_path):
    """Imports a file into a host; the exit status and what was printed, parsed."""

    def loaded(text, *args, name="totp.json"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        path = str(tmp_path / name)
        result = host.run("e2ereset", "import", "totp", path, "--json", *args)
        return result.exit_code, json.loads(result.output)

    return loaded


def said(stored=0, present=0, without=0, left_out=(), *, dry_run=False):
    return {
        "dryRun": dry_run,
        "stored": stored,
        "present": present,
        "without": without,
        "leftOut": [dict(zip(("row", "account", "why"), one, strict=True)) for one in left_out],
    }


def passes(host, account, secret=SECRET):
    return host.reset(account, pyotp.TOTP(secret).at(host.clock.now)).status_code == 200


def test_the_authenticator_of_elsewhere_passes(host, load):
    rows = [{"id": BOB.id, "secret": SECRET}, {"id": SUE.id, "secret": SECRET.lower()}]
    assert load("\n".join(map(json.dumps, rows)), "--reason", "moved") == (0, said(stored=2))
    assert passes(host, BOB)
    assert passes(host, SUE)
    assert operator_acts(host.runtime)[0] == ("import-totp", BOB.id, "done", "moved")


def test_csv_names_its_columns_and_may_have_others(host, load):
    text = f"email,fs_uniquifier,tf_totp_secret\nb@x,{BOB.id},{SECRET}\ns@x,{SUE.id},\n"
    names = ("--id", "fs_uniquifier", "--secret", "tf_totp_secret")
    assert load(text, *names, name="users.csv") == (0, said(stored=1, without=1))
    assert passes(host, BOB)


def test_running_it_again_changes_nothing(host, load):
    load(json.dumps([{"id": BOB.id, "secret": SECRET}]))
    another = json.dumps([{"id": BOB.id, "secret": pyotp.random_base32()}])
    assert load(another) == (0, said(present=1))
    assert passes(host, BOB)
    assert len(operator_acts(host.runtime)) == 1


def test_a_dry_run_says_the_same_and_changes_nothing(host, load, hears):
    enabled = hears(factor_enabled)
    rows = [{"id": BOB.id, "secret": SECRET}, {"id": SUE.id, "secret": "x"}] * 2
    text = "\n".join(map(json.dumps, rows))
    tried = load(text, "--dry-run")
    with host.runtime.transactions.read() as session:
        assert session.scalars(select(Totp)).all() == []
    assert (operator_acts(host.runtime), enabled) == ([], [])
    code, done = load(text)
    assert tried == (code, done | {"dryRun": True})
    assert (code, done["stored"], done["present"], len(done["leftOut"])) == (1, 1, 1, 2)


def test_what_its_owner_disabled_here_stays_off(host, load):
    load(json.dumps([{"id": BOB.id, "secret": SECRET}]))
    host.runtime.factors.disable_totp(BOB)
    code, result = load(json.dumps([{"id": BOB.id, "secret": SECRET}]))
    assert (code, result["stored"]) == (1, 0)
    assert "disabled here" in result["leftOut"][0]["why"]
    assert not host.runtime.factors.status(BOB.id).totp


def test_a_row_that_cannot_be_is_left_out_and_the_others_are_stored(load):
    no_id = "It is no row with an account id."
    cases = [
        ({"id": "nobody", "secret": SECRET}, "There is no account of this id."),
        ({"secret": SECRET}, no_id),
        ({"id": True, "secret": SECRET}, no_id),
        ({"id": "\ud800", "secret": SECRET}, no_id),
        ([], no_id),
        ({"id": BOB.id, "secret": "0189"}, "The secret is no base32 of 80 bits or more"),
        ({"id": BOB.id, "secret": 7}, "The secret is no text"),
        ({"id": BOB.id, "secret": {"enckey": {}}}, "The secret is encrypted by another server"),
    ]
    rows = [row for row, _ in cases]
    code, result = load(json.dumps([*rows, {"id": SUE.id, "secret": SECRET}]))
    assert (code, result["stored"]) == (1, 1)
    for number, ((_, why), left) in enumerate(zip(cases, result["leftOut"], strict=True), 1):
        assert (left["row"], why in left["why"]) == (number, True)
    assert SECRET not in json.dumps(result)


def test_people_read_which_rows_were_left_out(host, tmp_path):
    (tmp_path / "a").write_text('{"id": "x", "secret": "y"}\n')
    command = ("e2ereset", "import", "totp", str(tmp_path / "a"))
    lines = host.run(*command).output.splitlines()
    assert lines[0] == "Row 1, x: left out. There is no account of this id."
    assert lines[1] == "0 stored, 0 there already, 0 without a secret, 1 left out."
    assert "\n0 would be stored, 0 there" in host.run(*command, "--dry-run").output


def test_columns_that_are_missing_are_one_clear_line(host, tmp_path):
    (tmp_path / "a.csv").write_text("account,secret\n")
    error = error_of(host.run("e2ereset", "import", "totp", str(tmp_path / "a.csv")))
    assert "must name the columns id and secret" in error


@pytest.mark.parametrize(
    ("stored", "secret"),
    [
        (f" {SECRET}\n", SECRET),
        (None, ""),
        ("", ""),
        (PASSLIB, SECRET),
        (json.dumps(PASSLIB | {"alg": "sha1", "digits": 6, "period": 30}), SECRET),
    ],
)
def test_a_secret_is_text_or_what_passlib_writes(stored, secret):
    assert read_stored_secret(stored) == secret


@pytest.mark.parametrize("other", [{"alg": "sha256"}, {"digits": 8}, {"period": 60}])
def test_a_secret_of_other_codes_is_refused(other):
    with pytest.raises(EnrolmentInvalid, match="6 digits, 30 seconds"):
        read_stored_secret(PASSLIB | other)


# Backup codes that came as SHA-256


@pytest.fixture
def arrived(world):
    """Somebody who came with TOTP and two unused backup codes."""
    bob = world.person("bob")
    hashes = [sha256(CODES[0]), sha256(CODES[1]).upper()]
    with world.runtime.transactions.begin() as session:
        args = (session, world.runtime.factors, world.account(bob), SECRET)
        assert take_totp(*args, now=world.clock.now, hashed_codes=hashes)
    return bob


@pytest.mark.parametrize("code", CODES)
def test_a_backup_code_of_elsewhere_passes_once_and_is_mailed(world, arrived, code):
    assert world.reset(arrived, code=f"{code[:4]}-{code[4:]}").status_code == 200
    assert world.queued("backup-code-used")[0][1]["left"] == 1
    assert error(world.reset(world.again(arrived), code=code)) == "totp-invalid"


def test_the_case_of_a_backup_code_of_elsewhere_matters(world, arrived):
    assert error(world.reset(arrived, code=CODES[0].upper())) == "totp-invalid"


def test_the_hash_of_a_backup_code_is_not_stored_and_is_no_code(world, arrived):
    kept = {row.digest for row in world.rows(BackupCode)}
    assert len(kept) == 2
    assert not kept & {sha256(code) for code in CODES}
    assert error(world.reset(arrived, code=sha256(CODES[0])[:8])) == "totp-invalid"


def test_new_backup_codes_end_those_of_elsewhere(world, arrived):
    world.runtime.factors.renew_backup_codes(world.account(arrived))
    assert error(world.reset(arrived, code=CODES[0])) == "totp-invalid"


def test_a_pending_enrolment_is_left_to_its_owner(world):
    account = world.account(world.person("bob"))
    world.runtime.factors.begin_totp(account)
    with world.runtime.transactions.begin() as session, pytest.raises(TouchedHere):
        take_totp(session, world.runtime.factors, account, SECRET, now=world.clock.now)
    assert world.rows(Totp)[0].enabled_at is None
