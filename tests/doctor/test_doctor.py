"""`doctor`: every finding, each with the bad state set up for real."""

import re
import tomllib

import pytest

from e2ereset import two_factor_required
from e2ereset.doctor import CHECKS
from e2ereset.doctor.deployment import Deployment
from e2ereset.doctor.findings import Part, check, examine, found
from e2ereset.guard import passed_by
from e2ereset.server.checks import CHECKS_OF_SERVER
from tests.kit.databases import ON_POSTGRESQL
from tests.kit.doctor import STRONG, Report, ask, relay
from tests.kit.paths import ROOT

PACKAGES = (ROOT / "e2ereset" / "doctor", ROOT / "e2ereset" / "server")
SOURCES = [path.read_text("utf-8") for folder in PACKAGES for path in folder.glob("*.py")]
WORDS = [tomllib.loads((folder / "findings.toml").read_text("utf-8")) for folder in PACKAGES]
LEVELS = {
    code: one["level"] for words in WORDS for area in words.values() for code, one in area.items()
}


def test_a_clean_configuration_gives_nothing_above_a_note(migrated):
    with relay() as port:
        report = ask(migrated(MAIL_PORT=port), "--strict")
    # The tests' own PostgreSQL writes nothing to the disk, we are its superuser, and a pooler may
    # stand before it.
    own = {"not-durable", "superuser", "statement-timeout-unset", "pooler-without-limits"}
    assert report.bad <= own
    if not ON_POSTGRESQL:
        assert (report.bad, report.status) == (set(), 0)
    assert report.level("relay") == "ok"


@pytest.mark.parametrize("args", [[], ["--strict"]])
def test_errors_exit_with_2(doctor, args):
    assert doctor(*args).status == 2  # no migration has run


@pytest.mark.parametrize(("args", "status"), [([], 0), (["--strict"], 1)])
def test_warnings_exit_with_1_where_one_is_strict(migrated, args, status):
    report = ask(migrated(RATELIMIT_ENABLED=False), "--no-mail", *args)
    assert report.status == (2 if "not-durable" in report.bad else status)


def test_people_read_what_to_change_below_each_finding(engine, make_server, config):
    result = make_server(config).test_cli_runner().invoke(args=["doctor", "--no-mail"])
    assert re.search(r"error +settings +testing-on: .*\n +-> TESTING = False\n", result.output)
    assert re.search(r"ok +settings +settings-accepted: ", result.output)


def test_a_host_has_the_checks_of_the_library(make_host):
    host = make_host(RATELIMIT_STORAGE_URI="memory://")
    report = Report(host.run("e2ereset", "doctor", "--json", "--no-mail", "--workers", "1"))
    assert {"testing-on", "secret-weak", "parameters-shown"} <= report.bad
    assert report.level("tables") == "ok"
    assert report.level("migrations") is None


@pytest.mark.parametrize(
    ("page", "level"), [("auth.login", "error"), ("read", None), ("/sign-in", None), ("", None)]
)
def test_a_page_to_sign_in_that_the_app_has_not_is_found(make_host, page, level):
    host = make_host(E2ERESET_SIGN_IN_PAGE=page)
    host.app.add_url_rule("/read", "read", str)
    report = Report(host.run("e2ereset", "doctor", "--json", "--no-mail"))
    assert report.level("page-absent") == level
    assert (report.level("pages") == "ok") == (level is None)


def test_a_gate_above_its_route_is_found(make_host):
    host = make_host()

    @host.app.get("/below")
    @two_factor_required("see")
    def below():
        return "seen"

    @two_factor_required("see")
    @host.app.get("/above")
    def above():
        return "seen"

    assert host.app.test_client().get("/above").text == "seen"
    assert passed_by(host.app) == ["above"]
    report = Report(host.run("e2ereset", "doctor", "--json", "--no-mail"))
    finding = report.findings["gate-passed-by"]
    assert (finding["level"], "view above runs" in finding["text"]) == ("warning", True)
    assert "gates" not in report.findings


def test_a_check_that_raises_is_a_finding_without_its_text():
    @check("a", "odd", "All is well.")
    def odd(app):
        raise ValueError(STRONG)
        yield

    (failed,) = examine(Deployment(config={}), [odd])
    assert (failed.code, failed.text) == ("check-failed", "The check odd ended with ValueError.")


def test_what_needs_a_missing_part_is_left_out_with_all_that_it_would_show():
    checks = [
        check("a", "first", "-", shows=Part.DATABASE)(lambda app: iter([found("debug-on")])),
        check("a", "second", "-", Part.DATABASE, shows=Part.TABLES)(lambda app: iter([])),
        check("a", "third", "-", Part.TABLES)(lambda app: iter([])),
    ]
    assert [f.code for f in examine(Deployment(config={}), checks)] == ["debug-on"]


def test_every_finding_stands_in_the_documentation_and_no_other():
    page = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([\w-]+)` \| (\w+)", page, re.MULTILINE))
    assert rows == LEVELS | {"check-failed": "error"}


@pytest.mark.parametrize("code", LEVELS)
def test_every_finding_is_made_by_a_check(code):
    assert any(f'"{code}"' in source for source in SOURCES)


def test_every_check_has_a_code_of_its_own():
    codes = [check.code for check in (*CHECKS, *CHECKS_OF_SERVER)]
    assert len(set(codes)) == len(codes)
