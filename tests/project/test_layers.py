"""Who may import whom (docs/design.md), and that nobody imports in a circle."""

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import e2ereset
from tests.kit.paths import imports_of

PACKAGE = Path(e2ereset.__file__).parent
PATHS = {
    re.sub(r"(\.__init__)?\.py$", "", ".".join(p.relative_to(PACKAGE).parts)): p
    for p in PACKAGE.rglob("*.py")
    if "migrations" not in p.parts
}

SMALL = {"errors", "records", "addresses", "agents", "typed", "files", "crypto", "settings"}
SMALL |= {"ports", "languages", "rooms"}
"""The flat modules that everybody may use."""
BASE = SMALL | {"store", "metrics", "signals", "jobs", "audit", "parts"}
"""What a subject stands on."""
SUBJECT = BASE | {"mail"}
ALONE = ("errors", "addresses", "agents", "typed", "background", "metrics")
WITH_ERRORS = ("crypto", "files", "settings", "outages", "libraries", "store", "hashes")
ALLOWED = {
    **{name: set() for name in ALONE},
    **{name: {"errors"} for name in WITH_ERRORS},
    "languages": {"errors", "files"},
    "records": {"addresses", "agents", "errors"},
    "rooms": {"records"},
    "ports": {"records", "rooms", "store"},
    "signals": {"store"},
    "hosted": {"errors", "ports", "records"},
    "hostdb": {"errors", "store"},
    "adapters": SMALL | {"hashes", "runtime"},
    "jobs": SMALL | {"store"},
    "mail": SMALL | {"jobs"},
    "audit": SMALL | {"store"},
    "parts": BASE - {"parts"},
    "http": SMALL | {"outages"},
    "kept": BASE,
    "permissions": SUBJECT,
    "factors": SUBJECT | {"permissions"},
    "vault": SUBJECT | {"factors"},
    "reset": SUBJECT | {"factors", "permissions", "vault"},
    "upkeep": SUBJECT | {"factors", "kept", "reset"},
    "runtime": SUBJECT | {"background", "factors", "http", "kept", "permissions", "reset", "vault"},
    "pages": SUBJECT | {"factors", "http", "kept", "reset", "runtime", "vault"},
    "guard": SMALL | {"http", "runtime"},
    "operations": SUBJECT | {"background", "runtime"},
    "doctor": SUBJECT | {"factors", "permissions", "upkeep"},
    "cli": SUBJECT | {"doctor", "factors", "guard", "outages", "runtime", "upkeep"},
    "testing": SUBJECT | {"factors", "runtime"},
}
"""For each room of the library the rooms that it may use. `extension` and the package itself may
use all; routes may use `http`, schemas its schemas."""
WITH_FLASK = {
    "adapters",
    "cli",
    "extension",
    "guard",
    "hostdb",
    "http",
    "libraries",
    "pages",
    "runtime",
    "testing",
}
"""The rooms that know Flask; so do routes, and these modules."""
MODULES_WITH_FLASK = {f"mail.{name}" for name in ("transport", "mailman", "flaskmail")}
SERVER_USES = {"addresses", "audit", "cli", "doctor", "errors", "files", "http", "libraries"} | {
    *("metrics", "operations", "permissions", "ports", "records", "settings", "store", "upkeep"),
    *("vault", "factors", "pages", "reset", "testing", "hashes", "languages", "rooms"),
}
"""The short list of what the server takes besides the public names of `e2ereset`."""


def imports(module):
    """The modules of ours, and the top-level names of others, that it imports anywhere."""
    path = PATHS[module]
    here = ["e2ereset", *module.split(".")] if module else ["e2ereset"]
    here = here if path.name == "__init__.py" else here[:-1]
    for node in imports_of(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        else:
            base = here[: len(here) - node.level + 1] if node.level else []
            origin = ".".join((*base, *filter(None, [node.module])))
            for alias in node.names:
                full = f"{origin}.{alias.name}"
                yield full if ours(full) in PATHS else origin


def ours(name):
    """The name without the package's; None for somebody else's."""
    if name == "e2ereset":
        return "__init__"
    return name.removeprefix("e2ereset.") if name.startswith("e2ereset.") else None


GRAPH = {m: {ours(i) for i in imports(m)} - {None} for m in PATHS}
LIBRARY = [m for m in PATHS if m.split(".")[0] not in ("server", "__init__", "extension")]
SERVER = [m for m in PATHS if m.startswith("server")]


def room(module):
    return module.split(".")[0]


def test_nobody_imports_in_a_circle():
    try:
        TopologicalSorter(GRAPH).prepare()
    except CycleError as fault:
        pytest.fail(" <- ".join(fault.args[1]))


@pytest.mark.parametrize("module", LIBRARY)
def test_a_room_uses_only_rooms_below_it(module):
    allowed = ALLOWED[room(module)] | {room(module)}
    if module.endswith("routes"):
        allowed |= {"http"}
    used = {name for name in GRAPH[module] if room(name) not in allowed}
    assert used <= ({"http.schemas"} if module.endswith("schemas") else set())


@pytest.mark.parametrize("module", LIBRARY)
def test_only_routes_and_the_outer_rooms_know_flask(module):
    knows = room(module) in WITH_FLASK or module.endswith("routes") or module in MODULES_WITH_FLASK
    found = {name for name in imports(module) if name.split(".")[0].startswith("flask")}
    assert knows or found == set()


@pytest.mark.parametrize("module", SERVER)
def test_the_server_uses_public_names_and_a_short_list(module):
    used = {room(name) for name in GRAPH[module]} - {"server", "__init__"}
    assert used <= SERVER_USES


@pytest.mark.parametrize("module", [m for m in SERVER if m.count(".") > 1])
def test_a_subject_of_the_server_leaves_the_tables_of_others_alone(module):
    subject = module.split(".")[1]
    models = {n for n in GRAPH[module] if n.startswith("server.") and n.endswith(".models")}
    assert {name for name in models if name.split(".")[1] != subject} == set()
