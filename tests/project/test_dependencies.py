"""What is imported is declared, and what CI and the image install is pinned by hashes."""

import configparser
import re
import sys
from importlib.metadata import packages_distributions

import pytest

from tests.kit.paths import ROOT, imported

SETUP = configparser.ConfigParser(interpolation=None)
SETUP.read(ROOT / "setup.cfg", encoding="utf-8")
EXTRAS = SETUP["options.extras_require"]
OWNERS = packages_distributions()
SHIPPED = ("server", "metrics", "pages", "passkeys", "postgres", "redis", "argon2", "testing")
PLACES = {
    "e2ereset": SHIPPED,
    "migrations": ("server",),
    "tests": (*SHIPPED, "test", "fuzz", "browser", "contract"),
    "bench": (*SHIPPED, "test", "bench"),
    "examples": (*SHIPPED, "test", "bench"),
}
# The tests do without them, or are run before they are installed.
PEERS = {
    "allauth": "django-allauth",
    "django": "django",
    "flask_security": "flask-security-too",
    "flask_talisman": "flask-talisman",
    "schemathesis": "schemathesis",
}
# Looked for and done without; only for type checkers; installed where its tests run.
OPTIONAL = {"flask_login", "flask_mail", "_typeshed", "atheris", "rocketchat"}
OWN = {"e2ereset", "bench", "examples", "tests", "migrations"}


def names(text):
    """The distributions in a list of requirements."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and "%" not in line]
    return {canonical(re.match(r"[A-Za-z0-9._-]+", line)[0]) for line in lines}


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def declared_for(extras):
    """The distributions that are installed with these extras."""
    parts = [SETUP["options"]["install_requires"], *(EXTRAS[extra] for extra in extras)]
    return names("\n".join(parts))


@pytest.mark.parametrize("place", PLACES)
def test_what_is_imported_is_declared(place):
    declared = declared_for(PLACES[place])
    files = list((ROOT / place).rglob("*.py"))
    ours = {path.stem for path in (*files, *(ROOT / "tests").rglob("*.py"))}
    beside = OWN | OPTIONAL | ours | set(sys.stdlib_module_names)
    wanted = {name.partition(".")[0] for path in files for name in imported(path)} - beside
    owners = {name: [owner] for name, owner in PEERS.items()} | OWNERS
    found = {name: {canonical(owner) for owner in owners.get(name, [])} for name in wanted}
    assert {name: owners for name, owners in found.items() if not owners & declared} == {}


LOCKS = {
    "deploy": ("server", "metrics", "postgres", "redis", "argon2"),
    ".ci": (*SHIPPED, "test", "docs", "bench"),
}


@pytest.mark.parametrize("folder", LOCKS)
def test_what_ci_and_the_image_install_is_pinned_by_hashes(folder):
    text = (ROOT / folder / "requirements.txt").read_text(encoding="utf-8")
    blocks = re.split(r"\n(?=\S)", text.strip())
    assert [b for b in blocks if "--hash=sha256:" not in b or "==" not in b] == []
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links", text)
    wanted = declared_for(LOCKS[folder]) | {"setuptools"}
    assert wanted - {canonical(re.match(r"[A-Za-z0-9._-]+", block)[0]) for block in blocks} == set()


def test_every_package_is_in_the_wheel():
    """They are named by hand, and nothing that runs from the checkout misses one."""
    named = SETUP["options"]["packages"].split()
    files = (ROOT / "e2ereset").rglob("*.py")
    found = {".".join(file.parent.relative_to(ROOT).parts) for file in files}
    assert found <= set(named)
