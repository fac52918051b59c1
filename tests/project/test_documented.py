"""What users can meet stands in the README or in docs/."""

import json
import re
from dataclasses import fields

import click
import pytest

import e2ereset
from e2ereset.errors import Refusal
from e2ereset.http.described import description_of
from e2ereset.server.cli import GROUPS, main
from e2ereset.server.rooms.keys import refusals as room_keys  # noqa: F401
from e2ereset.server.sessions import service as sessions  # noqa: F401 - its refusals count too
from e2ereset.server.settings import ServerSettings
from e2ereset.settings import PREFIX, SERVER_PREFIX, Settings
from e2ereset.testing import __all__ as testing_names
from tests.kit.paths import ROOT
from tests.kit.rows import row

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
KEYS = {PREFIX + f.name.upper(): f for f in fields(Settings)}
KEYS |= {SERVER_PREFIX + f.name.upper(): f for f in fields(ServerSettings)}
FALL_BACK = {
    "E2ERESET_SECRET_KEYS": "SECRET_KEY",
    "E2ERESET_MAIL_SENDER": "MAIL_DEFAULT_SENDER",
    "E2ERESET_TOTP_ISSUER": "app.name",
    "E2ERESET_WORKSPACE": "app.name",
}


def stands(words):
    return re.search(rf"{re.escape(words)}(?![\w-])", TEXT) is not None


def shown(value):
    return str(value) if isinstance(value, bool) else json.dumps(value)


def limits_of(field):
    bounds, allowed = field.metadata.get("bounds"), field.metadata.get("allowed", ())
    numbers = (str(bounds[0]), f"to {bounds[1]}") if bounds else ()
    return (*numbers, *map(shown, allowed))


def refusals(cls=Refusal):
    yield cls
    for sub in cls.__subclasses__():
        yield from refusals(sub)


def commands(group, path=()):
    for name, command in group.commands.items():
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


COMMANDS = {path: c for path, c in commands(main) if path[0] in {g.name for g in GROUPS}}


@row("12.6.1.1", "12.6.1.3")
@pytest.mark.parametrize("key", KEYS)
def test_a_setting_is_documented_with_its_default_and_range(key):
    lines = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8").splitlines()
    (row,) = [line for line in lines if line.startswith(f"| `{key}` |")]
    default, limits = (cell.strip(" `") for cell in row.split("|")[2:4])
    assert FALL_BACK[key] in default if key in FALL_BACK else default == shown(KEYS[key].default)
    assert all(word in limits for word in limits_of(KEYS[key]))


@pytest.mark.parametrize(
    "code", sorted({r.code for r in refusals() if "tests" not in r.__module__})
)
def test_a_refusal_is_documented(code):
    assert f"`{code}`" in TEXT


@row("12.6.3.4")
def test_every_route_is_documented(app):
    rules = {rule.rule for rule in app.url_map.iter_rules() if rule.endpoint != "static"}
    assert [rule for rule in rules if not stands(rule)] == []


def test_every_route_of_the_api_describes_itself(app):
    """Or it is missing in openapi.json: see "Describing a route" in docs/design.md."""
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/api/v1/")]
    bare = {r.rule for r in rules if description_of(app.view_functions[r.endpoint]) is None}
    assert bare == {"/api/v1/openapi.json", "/api/v1/openapi.html"}


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_a_command_and_its_options_are_documented(path):
    assert stands(" ".join(path))
    options = {o for p in COMMANDS[path].params if isinstance(p, click.Option) for o in p.opts}
    assert [option for option in options if not stands(option)] == []


@pytest.mark.parametrize("name", e2ereset.__all__)
def test_a_name_for_hosts_is_documented(name):
    assert f"`{name}" in (ROOT / "docs" / "api.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", testing_names)
def test_a_name_for_tests_is_documented(name):
    assert f"`{name}" in TEXT


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_names_a_file_that_is_not_there(page):
    words = page.read_text(encoding="utf-8").replace("`", " ").replace(",", " ").split()
    named = [w.strip("().:;") for w in words if w.startswith(("docs/", "examples/"))]
    assert [name for name in named if not (ROOT / name).exists()] == []


@row("12.8.1.4")
def test_who_must_prove_what_is_documented_in_its_order():
    api = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    order = [api.index(words) for words in ("totp-required", "edit-other-user-e2ee", "outranks")]
    assert order == sorted(order)
