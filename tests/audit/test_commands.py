"""The commands of the audit log."""

import json

import pytest
from sqlalchemy import delete, update

from e2ereset.audit.maintenance import purge
from e2ereset.audit.models import AuditHead, AuditRow
from tests.kit.audit import write_row
from tests.kit.commands import error_of
from tests.kit.server import NOW

WHOLE = "The audit log is whole.\n"


@pytest.fixture
def path(tmp_path):
    """Where a command is to write."""
    return tmp_path / "out"


@pytest.fixture
def config(config, tmp_path):
    """A workspace with a name, and a file of checkpoints."""
    kept = {"E2ERESET_AUDIT_CHECKPOINTS": str(tmp_path / "checkpoints")}
    return config | kept | {"E2ERESET_WORKSPACE": "Chat of \u00dcnion+Co"}


@pytest.fixture(autouse=True)
def write(world):
    """Writes audit rows of these targets; three are there."""

    def write(*targets, **facts):
        with world.runtime.transactions.begin() as session:
            for target in targets:
                write_row(world.runtime.audit, session, target=target, **{"at": NOW} | facts)

    write("bob", "eve", "bob")
    return write


@pytest.fixture
def said(run):
    """What a command of `audit` that works prints."""

    def said(*args):
        result = run("audit", *map(str, args))
        assert result.exit_code == 0, result.output
        return result.output

    return said


def tamper(world, statement):
    with world.runtime.transactions.begin() as session:
        assert session.execute(statement).rowcount


def test_the_newest_rows_come_last_with_the_names_of_people_under_heads(said, done, bob, write):
    write(bob.id, caller=bob.id)
    heads, first, second = said("tail", "--limit", "2").splitlines()
    assert heads.split()[:5] == ["place", "time", "action", "caller", "target"]
    assert [row.split()[3:5] for row in (first, second)] == [["alice", "bob"], ["bob", "bob"]]
    row = done("audit", "tail")[-1]
    assert (row["caller"], row["callerName"]) == (bob.id, "bob")


@pytest.mark.parametrize("target", ["bob", "BOB", "id-of-bob", "who-is-gone"])
def test_the_rows_of_one_person_are_found_by_name_or_id(done, bob, write, target):
    write(bob.id, "who-is-gone")
    found = {row["target"] for row in done("audit", "tail", "--target", target)}
    assert found == {target if target == "who-is-gone" else bob.id}


def test_a_host_that_takes_ids_of_one_form_only_hides_no_row(done, write, world, monkeypatch):
    monkeypatch.setattr(world.runtime.accounts, "get", lambda _, account_id: int(account_id))
    assert len(done("audit", "tail", "--target", "eve")) == 1


def test_a_whole_log_is_said_to_be(said):
    assert said("verify") == f"3 rows checked, 3 of them not sealed yet.\n{WHOLE}"


def test_a_checkpoint_seals_first_and_is_in_the_file_of_the_setting(said, done, tmp_path):
    note = said("checkpoint")
    assert note.split("\n")[:2] == ["Chat%20of%20%C3%9Cnion%2BCo", "3"]  # after the workspace
    assert done("audit", "checkpoint") == {"checkpoint": note}
    assert (tmp_path / "checkpoints").read_text(encoding="utf-8") == note


def test_checkpoints_are_added_to_a_file_and_verified(said, done, write, path):
    for target in ("bob", "eve"):
        assert said("checkpoint", "--out", path) == ""
        write(target)
    assert path.read_text(encoding="utf-8").count("\u2014") == 2
    key = done("audit", "public-key")["publicKey"]
    assert said("public-key") == f"{key}\n"
    assert said("verify", "--checkpoint", path).endswith(WHOLE)
    assert done("audit", "verify", "--checkpoint", str(path), "--public-key", key) == []


def test_changed_rows_and_a_checkpoint_that_the_log_does_not_hold_are_findings(
    run, said, world, path
):
    said("checkpoint", "--out", path)
    tamper(world, update(AuditRow).values(caller="x"))
    result = run("audit", "verify", "--checkpoint", str(path), "--json")
    assert result.exit_code == 1
    kinds = [flaw["kind"] for flaw in json.loads(result.output)]
    assert (kinds[0], kinds[-1]) == ("row-changed", "checkpoint-mismatch")


def test_a_purged_checkpoint_is_said_and_no_failure(said, write, world, path):
    said("checkpoint", "--out", path)
    write("eve")
    runtime = world.runtime
    runtime.sealer.seal()
    assert sum(purge(runtime.transactions, runtime.keyring, before=NOW + 9, now=NOW + 9))
    write("bob")
    told = said("verify", "--checkpoint", path)
    assert told.startswith("1 row checked, 1 of them not sealed yet.\n")
    assert "cannot be checked any more" in told
    assert told.endswith(WHOLE)


def test_an_export_is_lines_of_json_and_overwrites_no_file(run, said, path):
    lines = said("export")
    targets = [json.loads(line).get("target") for line in lines.splitlines()]
    assert targets == [None, "bob", "eve", "bob", None]
    assert said("export", "--out", path) == ""
    assert path.read_text(encoding="utf-8") == lines == said("export", "--json")
    result = run("audit", "export", "--out", str(path))
    assert "cannot be written: File exists" in error_of(result)
    assert path.read_text(encoding="utf-8") == lines


@pytest.mark.parametrize(
    ("since", "count"),
    [("2027-01-15", 4), ("2027-01-15T08:01:00Z", 1), ("2027-01-15T10:01:00.000+02:00", 1)],
)
def test_an_export_since_a_time(said, write, since, count):
    write("late", at=NOW + 60)
    assert len(said("export", "--since", since).splitlines()) == 2 + count


def test_a_receipt_is_json(done):
    made = done("audit", "receipt", "1")
    assert (made["entry"]["target"], made["size"]) == ("eve", 3)
    assert done("audit", "receipt", made["entry"]["uid"]) == made


def test_a_broken_log_is_exported_said_to_be_and_mended_when_accepted(run, done, said, world):
    said("checkpoint")
    tamper(world, delete(AuditHead))
    result = run("audit", "export")
    assert (result.exit_code, result.stdout.count("\n")) == (1, 4)
    assert result.stderr.startswith("Error: The end of the audit log")
    assert "--accept" in run("audit", "mend").output
    assert done("audit", "mend", "--accept")["sealed"] == 4
    assert said("verify").endswith(WHOLE)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ("tail --target bbo", "There is no user 'bbo'"),
        ("receipt 7", "No signed head"),
        ("verify --public-key x", "no public key"),
        ("checkpoint --out missing/file", "cannot be written"),
        ("export --out missing/file", "cannot be written"),
        ("mend --accept", "nothing to mend"),
    ],
)
def test_an_error_of_the_audit_log_is_one_clear_line(run, args, words):
    assert words in error_of(run("audit", *args.split()))
