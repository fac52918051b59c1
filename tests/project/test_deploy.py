"""The files in deploy/: what they claim, read from them. The tools that check them are slow."""

import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.kit.paths import ROOT

DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
OURS = ("web", "outbox", "migrate")
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
UNITS = sorted(path.name for path in (DEPLOY / "systemd").glob("e2ereset-*.*") if path.is_file())
STEPS = ("wheel --quiet --no-deps --no-build-isolation --wheel-dir", "install --quiet --no-deps")
STEPS += ("--require-hashes", "e2ereset.server.wsgi:app")


def run(*command):
    return subprocess.run(command, text=True, capture_output=True)


def needs(tool):
    return pytest.mark.skipif(shutil.which(tool) is None, reason=f"{tool} is not installed")


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_is_not_root_and_can_change_nothing_but_what_it_must(name):
    service = SERVICES[name]
    assert service["user"].split(":")[0] not in ("", "0", "root")
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.get("privileged")
    assert "/tmp" in service["tmpfs"]


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - {"outbox", "migrate"}))
def test_a_container_with_a_port_says_whether_it_is_well(name):
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"


def test_there_are_two_web_servers_and_one_port_to_the_outside():
    assert SERVICES["web"]["deploy"]["replicas"] == 2
    assert [name for name in SERVICES if "ports" in SERVICES[name]] == ["nginx"]


def test_database_and_rates_are_reachable_from_inside_only():
    assert COMPOSE["networks"]["inside"]["internal"] is True
    assert SERVICES["database"]["networks"] == SERVICES["redis"]["networks"] == ["inside"]


def test_nothing_starts_before_the_migrations_are_done():
    wanted = {"condition": "service_completed_successfully"}
    for name in ("web", "outbox"):
        assert SERVICES[name]["depends_on"]["migrate"] == wanted


def test_secrets_come_from_files_that_git_does_not_see():
    assert {s["file"].split("/")[0] for s in COMPOSE["secrets"].values()} == {"secrets"}
    assert (DEPLOY / ".gitignore").read_text(encoding="utf-8") == "secrets/\n"
    settings = [f"{k}={v}" for name in SERVICES for k, v in _environment(name).items()]
    assert [s for s in settings if re.search("KEY|TOKEN|PASSWORD", s) and "_FILE=" not in s] == []


def _environment(name):
    return SERVICES[name].get("environment", {})


@pytest.mark.parametrize("name", OURS)
def test_the_settings_in_compose_are_settings_that_start(name, make_server, monkeypatch):
    for key, value in _environment(name).items():
        if key.startswith("FLASK_E2ERESET_"):
            monkeypatch.setenv(key, re.sub(r"\$\{\w+:-(.*)\}", r"\1", value))
    assert make_server({"TESTING": True})


def test_the_config_of_the_deployment_reads_its_secrets_from_files(
    make_server, monkeypatch, tmp_path
):
    secrets = {"secret_keys": "the-newest-of-the-keys\n", "database_password": "p@/\n"}
    for name, value in secrets.items():
        (tmp_path / name).write_text(value)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "instance").mkdir(exist_ok=True)
    shutil.copy(DEPLOY / "config.py", tmp_path / "instance" / "config.py")
    app = make_server({"TESTING": True})
    assert app.config["E2ERESET_SECRET_KEYS"] == ["the-newest-of-the-keys"]
    uri = app.config["SQLALCHEMY_DATABASE_URI"]
    assert uri == "postgresql+psycopg://e2ereset:p%40%2F@127.0.0.1/e2ereset"


def test_the_image_has_two_stages_and_a_user():
    assert len(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == 2
    assert re.findall(r"^USER (\d+):", DOCKERFILE, re.MULTILINE) == ["10001"]
    assert DOCKERFILE.index("USER 10001") > DOCKERFILE.rindex("RUN")


@pytest.mark.parametrize("step", STEPS)
def test_the_image_is_made_by_the_steps_that_ci_checks(step):
    assert step in DOCKERFILE
    assert step in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_all_that_is_copied_into_the_image_is_there_and_let_through():
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").split("\n")
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    for name in " ".join(copied).split():
        assert (ROOT / name).exists()
        assert f"!{name}" in ignored


def test_nginx_hands_on_one_address_and_one_id_that_no_client_chose():
    text = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in text
    assert "proxy_set_header X-Request-Id $request_id;" in text
    assert _environment("web")["FLASK_E2ERESET_SERVER_PROXY_HOPS"] == "1"


@pytest.fixture
def units(tmp_path):
    """The units, with the commands of this environment in them."""
    folder = tmp_path / "systemd"
    shutil.copytree(DEPLOY / "systemd", folder)
    for path in folder.glob("*.service"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("/opt/e2ereset/bin", str(Path(sys.executable).parent)))
    return folder


@pytest.mark.slow
@needs("systemd-analyze")
@pytest.mark.parametrize("name", UNITS)
def test_systemd_takes_the_unit(units, name):
    done = run("systemd-analyze", "verify", "--man=no", units / name)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
@needs("systemd-analyze")
@pytest.mark.parametrize("name", [name for name in UNITS if name.endswith(".service")])
def test_a_unit_is_little_exposed(units, name):
    done = run("systemd-analyze", "security", "--offline=true", "--no-pager", units / name)
    found = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
    assert float(found[1]) <= 1.5


@pytest.mark.slow
@needs("nginx")
def test_nginx_takes_its_configuration(tmp_path):
    text = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    # The name is that of a container.
    (tmp_path / "nginx.conf").write_text(text.replace("web:8000", "127.0.0.1:8000"))
    done = run("nginx", "-t", "-q", "-c", tmp_path / "nginx.conf", "-p", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_gunicorn_keeps_what_it_writes_for_its_owner(monkeypatch, tmp_path):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    assert runpy.run_path(str(ROOT / "gunicorn.conf.py"))["umask"] == 0o077
