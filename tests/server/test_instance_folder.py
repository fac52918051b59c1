"""The instance folder: where it is, who can read what is in it, and what is said when it fails."""

import os
import sys

import pytest

from e2ereset.errors import SettingsError
from e2ereset.server.app import create_app
from e2ereset.server.instance_folder import make_default_folder
from tests.kit.commands import run_program

E2ERESET = [sys.executable, "-m", "e2ereset.server.cli"]


@pytest.fixture
def run(tmp_path):
    """Runs a program in an empty folder; what it printed, and its status."""
    return lambda command, **environ: run_program(command, tmp_path, **environ)


def assert_one_line(result, *words):
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith("Error: ")
    assert [word for word in words if word not in result.stderr] == []


SERVE, USERS = [sys.executable, "-c", "import wsgi"], [*E2ERESET, "user", "list"]


@pytest.mark.slow
@pytest.mark.parametrize("command", [USERS, SERVE, [*E2ERESET, "db", "upgrade"]])
def test_a_folder_that_is_named_and_missing_is_never_made(run, tmp_path, command):
    result = run(command, E2ERESET_INSTANCE=str(tmp_path / "nope"))
    assert_one_line(result, "E2ERESET_INSTANCE", str(tmp_path / "nope"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("command", [USERS, SERVE])
def test_no_folder_is_made_where_the_server_is_not(run, tmp_path, command):
    assert_one_line(run(command), "e2ereset db upgrade")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_all_that_a_new_server_writes_is_for_its_owner_only(run, tmp_path):
    for words in (["db", "upgrade"], ["demo"], ["audit", "export", "--out", "log"]):
        done = run([*E2ERESET, *words], FLASK_MAIL_BACKEND="file")
        assert (done.returncode, done.stderr) == (0, "")  # no word of Alembic's stands in the way
    run([*E2ERESET, "outbox", "deliver", "--once"], FLASK_MAIL_BACKEND="file")
    run([*E2ERESET, "audit", "checkpoint", "--out", "checkpoint"])
    made = list(tmp_path.rglob("*"))
    files = "log checkpoint instance secret_key e2ereset.sqlite3 demo.json mail"
    assert {path.name for path in made} >= set(files.split())
    assert [path.name for path in made if path.stat().st_mode & 0o077] == []


@pytest.fixture
def instance(tmp_path, monkeypatch):
    monkeypatch.setenv("E2ERESET_INSTANCE", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A = (\n", "SyntaxError: .*, in line 1"),
        ("A = 1\nB = C\n", "NameError: name 'C' is not defined, in line 2"),
        ("import nowhere\n", "ModuleNotFoundError: No module named 'nowhere', in line 1"),
        ("open('/nope')\n", r"No such file or directory\)?: '/nope', in line 1"),
        ("\n\nint('hunter2')\n", "ValueError, in line 3"),
        ("A = '\0'\n", "Error"),
        ("A = '\xfc'", "cannot be read: "),
    ],
)
def test_a_broken_config_file_is_told_with_its_line(instance, text, words):
    (instance / "config.py").write_text(text, encoding="latin-1")
    with pytest.raises(SettingsError, match=words) as caught:
        create_app()
    assert str(instance / "config.py") in str(caught.value)
    assert not any(word in str(caught.value) for word in ("hunter2", "\n"))


@pytest.mark.parametrize("name", ["config.py", "secret_key"])
def test_a_folder_in_the_place_of_a_file_is_told(instance, name):
    (instance / name).mkdir()
    with pytest.raises(SettingsError, match=rf"{name} can.* read.*Is a directory"):
        create_app()


def test_a_file_in_the_place_of_the_folder_is_told(instance, monkeypatch):
    (instance / "file").touch()
    monkeypatch.setenv("E2ERESET_INSTANCE", str(instance / "file"))
    with pytest.raises(SettingsError, match="is no folder"):
        create_app()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_read_only_is_told(instance):
    instance.chmod(0o500)
    with pytest.raises(SettingsError, match="neither read nor made: Permission denied"):
        create_app()


def test_a_default_folder_that_can_not_be_made_is_told(tmp_path, monkeypatch):
    monkeypatch.delenv("E2ERESET_INSTANCE", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "instance").touch()
    with pytest.raises(SettingsError, match="instance cannot be made: File exists"):
        make_default_folder()
