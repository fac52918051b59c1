"""Where the checkout is."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]


def imported(path):
    """The modules that a Python file imports by their full names, and what it takes from them."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
