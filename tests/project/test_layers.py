"""The direction of imports holds the layers."""

import ast
from pathlib import Path

import pytest

import e2ereset

PACKAGE = Path(e2ereset.__file__).parent
MODULES = {path: path.relative_to(PACKAGE).parts for path in PACKAGE.rglob("*.py")}
LIBRARY = [path for path, parts in MODULES.items() if parts[0] not in ("server", "migrations")]
WITH_FLASK = {"http", "testing", "server", "extension.py", "guard.py", "runtime.py", "cli"}
NO_FLASK = [path for path in LIBRARY if MODULES[path][0] not in {*WITH_FLASK, "__init__.py"}]
ROUTES = {path for path in LIBRARY if path.name == "routes.py"}
WAYS_OUT = {PACKAGE / "mail" / f"{name}.py" for name in ("transport", "smtp", "files", "flaskmail")}
WAYS_OUT |= ROUTES


def imports(path):
    """Absolute names of all that a module imports, within functions too."""
    here = ("e2ereset", *MODULES[path][:-1])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else ()
            origin = (*base, *filter(None, [node.module]))
            yield from (".".join((*origin, alias.name)) for alias in node.names)


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: "/".join(MODULES[path]))
def test_the_library_never_imports_the_server(path):
    assert not [name for name in imports(path) if name.startswith("e2ereset.server")]


@pytest.mark.parametrize(
    "path", [p for p in NO_FLASK if p not in WAYS_OUT], ids=lambda path: "/".join(MODULES[path])
)
def test_services_strategies_and_their_like_never_import_flask(path):
    assert not [name for name in imports(path) if name.split(".")[0].startswith("flask")]


@pytest.mark.parametrize(
    "path", [p for p in NO_FLASK if p not in ROUTES], ids=lambda path: "/".join(MODULES[path])
)
def test_what_knows_no_flask_imports_nothing_that_does(path):
    closed = ("e2ereset.http", "e2ereset.extension", "e2ereset.runtime", "e2ereset.cli")
    without = "e2ereset.http.schemas"
    found = [n for n in imports(path) if n.startswith(closed) and not n.startswith(without)]
    assert not found
