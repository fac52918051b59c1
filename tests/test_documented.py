"""What users can meet stands in the README or in docs/."""

from dataclasses import fields
from pathlib import Path

import click
import pytest

from e2ereset.errors import Refusal
from e2ereset.server import sessions  # noqa: F401 - its refusals count too
from e2ereset.server.cli import main
from e2ereset.server.commands import GROUPS
from e2ereset.server.settings import ServerSettings
from e2ereset.settings import PREFIX, SERVER_PREFIX, Settings
from e2ereset.testing import __all__ as testing_names

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
KEYS = [PREFIX + f.name.upper() for f in fields(Settings)]
KEYS += [SERVER_PREFIX + f.name.upper() for f in fields(ServerSettings)]


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


@pytest.mark.parametrize("key", KEYS)
def test_a_setting_is_documented(key):
    assert f"`{key}`" in TEXT


@pytest.mark.parametrize(
    "code", sorted({r.code for r in refusals() if "tests" not in r.__module__})
)
def test_a_refusal_is_documented(code):
    assert f"`{code}`" in TEXT


def test_every_route_is_documented(app):
    rules = {rule.rule for rule in app.url_map.iter_rules() if rule.endpoint != "static"}
    assert [rule for rule in rules if rule not in TEXT] == []


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_a_command_and_its_options_are_documented(path):
    assert " ".join(path) in TEXT
    options = {o for p in COMMANDS[path].params if isinstance(p, click.Option) for o in p.opts}
    assert {
        option for option in options if f"`{option}" not in TEXT and option not in TEXT
    } == set()


@pytest.mark.parametrize("name", testing_names)
def test_a_name_for_tests_is_documented(name):
    assert f"`{name}" in TEXT


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_names_a_file_that_is_not_there(page):
    words = page.read_text(encoding="utf-8").replace("`", " ").replace(",", " ").split()
    named = [w.strip("().:;") for w in words if w.startswith(("docs/", "examples/"))]
    assert [name for name in named if not (ROOT / name).exists()] == []
