"""Where the server listens, and what is said when it can not (K7 and "Operating it" 8)."""

import re
import shutil
import socket
import sys
from contextlib import closing
from pathlib import Path

import pytest

from e2ereset.errors import SettingsError
from e2ereset.server.listen_address import bind_of, check_free, read_address, url_of
from tests.kit.commands import run_program
from tests.kit.network import free_port
from tests.kit.paths import ROOT


@pytest.mark.parametrize(
    ("host", "bound", "url"),
    [
        ("::1", "[::1]:8000", "http://[::1]:8000"),
        ("[::1]", "[::1]:8000", "http://[::1]:8000"),
        ("2001:db8::7", "[2001:db8::7]:8000", "http://[2001:db8::7]:8000"),
        ("::", "[::]:8000", "http://[::1]:8000"),
        ("0.0.0.0", "0.0.0.0:8000", "http://127.0.0.1:8000"),
        ("localhost", "localhost:8000", "http://localhost:8000"),
        ("", "127.0.0.1:8000", "http://127.0.0.1:8000"),
    ],
)
def test_an_address_is_written_as_gunicorn_and_curl_read_it(host, bound, url):
    assert (bind_of({"HOST": host}), url_of({"HOST": host})) == (bound, url)


@pytest.mark.parametrize("port", ["abc", "0", "65536", "-1", "80 81", "\uff18", "1e3", "8000.0"])
def test_a_port_that_is_none_is_told(port):
    with pytest.raises(SettingsError, match="PORT must be a number from 1 to 65535"):
        read_address({"PORT": port})


@pytest.fixture
def taken():
    """A port on which somebody listens."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


def test_a_port_in_use_is_told(taken):
    with pytest.raises(SettingsError, match=f"Port {taken} of 127.0.0.1 is in use"):
        check_free("127.0.0.1", taken)


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_a_host_that_is_another_machine_is_told(host):
    with pytest.raises(SettingsError, match=f"HOST={host} is no address of this machine"):
        check_free(host, 8000)


def make_run(instance, port):
    """`make run` here; its result, and its errors but for those of make itself."""
    command = ["make", "-s", "-o", ".venv/server.installed", "run", f"PORT={port}"]
    command.append(f"BIN={Path(sys.executable).parent}")
    result = run_program(command, ROOT, E2ERESET_INSTANCE=str(instance))
    return result, [line for line in result.stderr.splitlines() if not line.startswith("make")]


NEEDS_MAKE = pytest.mark.skipif(not shutil.which("make"), reason="make is not here")
GUNICORN = [str(Path(sys.executable).parent / "gunicorn"), "wsgi:app"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("PORT", "abc", "PORT must be a number"),
        ("FLASK_MAIL_BACKEND", "smpt", "MAIL_BACKEND is 'smpt'"),
    ],
)
def test_gunicorn_ends_with_one_line_where_it_can_not_start(tmp_path, name, value, words):
    environ = {"E2ERESET_INSTANCE": str(tmp_path), "PORT": "1", "HOST": "127.0.0.1", name: value}
    result = run_program(GUNICORN, ROOT, **environ)
    assert result.returncode == 1
    (line,) = [text for text in result.stderr.splitlines() if not re.match(r"\[|20\d\d-", text)]
    assert line.startswith("Error: ")
    assert words in line


@pytest.mark.slow
def test_gunicorn_tells_of_a_port_in_use_once(tmp_path, taken):
    result = run_program(GUNICORN, ROOT, E2ERESET_INSTANCE=str(tmp_path), PORT=str(taken))
    assert result.returncode == 1
    assert re.fullmatch(rf".* Starting gunicorn .*\nError: Port {taken} .*\n", result.stderr)


@pytest.mark.slow
@NEEDS_MAKE
def test_make_run_tells_of_a_port_in_use_and_prints_nothing_else(tmp_path, taken):
    result, (line,) = make_run(tmp_path, taken)
    assert (result.returncode, result.stdout) == (2, "")
    assert line.startswith(f"Error: Port {taken}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@NEEDS_MAKE
def test_make_run_tells_of_a_folder_that_is_not_there(tmp_path):
    (line,) = make_run(tmp_path / "no where", free_port())[1]
    assert line.startswith("Error: E2ERESET_INSTANCE names ")
