"""Where the checkout is, and what its Python files import."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
BLOCKS = (ast.stmt, ast.ExceptHandler, ast.match_case)


def imported(path):
    """The modules that a Python file imports by their full names, and what it takes from them."""
    for node in imports_of(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def imports_of(path):
    """The import statements of a Python file, wherever they stand."""
    # `ast.walk` goes into every expression too, which is most of a file.
    found = [ast.parse(path.read_text(encoding="utf-8"))]
    for node in found:
        found += [child for child in ast.iter_child_nodes(node) if isinstance(child, BLOCKS)]
    return [node for node in found if isinstance(node, (ast.Import, ast.ImportFrom))]
