"""The commands of the audit log."""

import json

import pytest
from sqlalchemy import delete, update

from e2ereset import get_e2ereset
from e2ereset.audit import PublicKey, purge
from e2ereset.audit.models import AuditHead, AuditRow
from tests.kit.audit import write_row
from tests.kit.server import NOW


class Console:
    """Runs commands of `audit` in a server with an audit log."""

    def __init__(self, app):
        self.app, self.runtime = app, get_e2ereset(app)

    def __call__(self, *args):
        return self.app.test_cli_runner().invoke(args=["audit", *map(str, args)])

    def said(self, *args):
        """What a command that works prints."""
        result = self(*args)
        assert result.exit_code == 0, result.output
        return result.output

    def write(self, *targets, at=NOW):
        for target in targets:
            with self.runtime.transactions.begin() as session:
                write_row(self.runtime.audit, session, at=at, target=target)

    def purge(self, before):
        runtime = self.runtime
        return sum(purge(runtime.transactions, runtime.keyring, before=before, now=before))

    def tamper(self, statement):
        with self.runtime.transactions.begin() as session:
            assert session.execute(statement).rowcount


@pytest.fixture
def console(app):
    console = Console(app)
    console.write("bob", "eve", "bob")
    return console


def test_the_tail_of_one_person(console):
    rows = json.loads(console.said("tail", "--target", "bob", "--json"))
    assert [row["target"] for row in rows] == ["bob", "bob"]


def test_a_checkpoint_seals_first(console):
    assert console.said("checkpoint").split("\n")[:2] == ["e2ereset", "3"]
    note = json.loads(console.said("checkpoint", "--json"))["checkpoint"]
    assert note == console.said("checkpoint")


def test_checkpoints_are_added_to_a_file_and_verified(console, tmp_path):
    path = tmp_path / "checkpoints"
    for target in ("bob", "eve"):
        assert console.said("checkpoint", "--out", path) == ""
        console.write(target)
    assert path.read_text(encoding="utf-8").count("\u2014") == 2
    key = console.said("public-key").strip()
    assert console.said("verify", "--checkpoint", path).endswith("The audit log is whole.\n")
    said = console.said("verify", "--checkpoint", path, "--public-key", key, "--json")
    assert json.loads(said) == []


def test_the_public_key_is_named_after_the_workspace(make_server, config, engine):
    app = make_server({**config, "E2ERESET_WORKSPACE": "Chat of \u00dcnion+Co"})
    key = PublicKey.parse(Console(app).said("public-key"))
    assert key.name == "Chat%20of%20%C3%9Cnion%2BCo"
    assert json.loads(Console(app).said("public-key", "--json"))["publicKey"] == str(key)


def test_a_checkpoint_that_the_log_does_not_hold_is_a_finding(console, tmp_path):
    path = tmp_path / "checkpoint"
    console.said("checkpoint", "--out", path)
    console.tamper(update(AuditRow).values(caller="x"))
    result = console("verify", "--checkpoint", path, "--json")
    assert result.exit_code == 1
    assert json.loads(result.output)[-1]["kind"] == "checkpoint-mismatch"


def test_a_purged_checkpoint_is_said_and_no_failure(console, tmp_path):
    path = tmp_path / "checkpoint"
    console.said("checkpoint", "--out", path)
    console.write("eve")
    console.runtime.sealer.seal()
    console.purge(NOW + 9)
    said = console.said("verify", "--checkpoint", path)
    assert "cannot be checked any more" in said
    assert said.endswith("The audit log is whole.\n")


def test_an_export_is_lines_of_json(console, tmp_path):
    lines = [json.loads(line) for line in console.said("export").splitlines()]
    assert [line.get("target") for line in lines] == [None, "bob", "eve", "bob", None]
    path = tmp_path / "export"
    assert console.said("export", "--out", path) == ""
    assert path.read_text(encoding="utf-8") == console.said("export", "--json")


@pytest.mark.parametrize(
    ("since", "count"),
    [("2027-01-15", 4), ("2027-01-15T08:01:00Z", 1), ("2027-01-15T10:01:00.000+02:00", 1)],
)
def test_an_export_since_a_time(console, since, count):
    console.write("late", at=NOW + 60)
    assert len(console.said("export", "--since", since).splitlines()) == 2 + count


def test_a_broken_log_is_exported_and_said_to_be(console):
    console.said("checkpoint")
    console.tamper(delete(AuditHead))
    result = console("export")
    assert result.exit_code == 1
    assert result.stdout.count("\n") == 4
    assert result.stderr.startswith("Error: The end of the audit log")


def test_a_receipt_is_json(console):
    made = json.loads(console.said("receipt", "1"))
    assert (made["entry"]["target"], made["size"]) == ("eve", 3)
    assert json.loads(console.said("receipt", made["entry"]["uid"], "--json")) == made


def test_a_broken_log_is_mended_when_accepted(console):
    console.said("checkpoint")
    console.tamper(delete(AuditHead))
    assert "--accept" in console("mend").output
    made = json.loads(console.said("mend", "--accept", "--json"))
    assert made["sealed"] == 4
    assert "is whole" in console.said("verify")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["receipt", "7"], "No signed head"),
        (["verify", "--public-key", "x"], "no public key"),
        (["checkpoint", "--out", "missing/file"], "can not be written"),
        (["export", "--out", "missing/file"], "can not be written"),
        (["mend", "--accept"], "nothing to mend"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_error_of_the_audit_log_is_one_clear_line(console, args, words):
    result = console(*args)
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert words in result.output
    assert result.output.count("\n") == 1


def test_an_export_overwrites_no_file(console, tmp_path):
    path = tmp_path / "export"
    path.write_text("mine", encoding="utf-8")
    assert "can not be written: File exists" in console("export", "--out", path).output
    assert path.read_text(encoding="utf-8") == "mine"


def test_the_setting_keeps_a_file_of_checkpoints(make_server, config, engine, tmp_path):
    path = tmp_path / "checkpoints"
    console = Console(make_server({**config, "E2ERESET_AUDIT_CHECKPOINTS": str(path)}))
    console.write("bob")
    console.runtime.sealer.seal()
    assert console.said("checkpoint") == path.read_text(encoding="utf-8")
