"""What `doctor` finds in the files of the instance folder."""

import pytest

from tests.kit.databases import only_sqlite
from tests.kit.doctor import ask


def write(path, text):
    path.write_text(text)
    path.chmod(0o644)


@pytest.mark.parametrize(
    ("code", "name"), [("secret-key-readable", "secret_key"), ("config-readable", "config.py")]
)
def test_a_file_that_others_can_read_is_found(doctor, config, instance, code, name):
    secret = config["SECRET_KEY"]
    write(instance / name, f"KEY = '{secret}'")
    assert doctor(SECRET_KEY=secret).level(code) == "error"
    instance.chmod(0o700)
    assert doctor(SECRET_KEY=secret).level(code) is None


def test_a_configuration_without_a_secret_in_it_is_for_everybody(doctor, instance):
    write(instance / "config.py", "E2ERESET_WORKSPACE = 'chat.example.org'")
    assert doctor().level("config-readable") is None


def test_a_folder_that_others_can_write_is_found(doctor, instance):
    instance.chmod(0o777)
    assert doctor().level("instance-writable") == "error"


@only_sqlite
def test_a_database_file_that_others_can_read_is_found(doctor, instance, tmp_path):
    (tmp_path / "test.sqlite3").chmod(0o644)
    assert doctor().level("database-readable") == "warning"


def test_files_that_could_not_be_looked_at_are_a_finding(make, engine, tmp_path):
    app = make()
    (tmp_path / "instance").rmdir()
    assert ask(app, "--no-mail").level("instance-missing") == "note"
