"""Rows of docs/security-checklist.md: marks on the tests that show them, and the table's column.

`python -m tests.kit.rows` writes the tests that are marked into the table.
"""

import ast
import re
from collections import defaultdict
from functools import cache

import pytest

from tests.kit.paths import ROOT

PAGE = ROOT / "docs" / "security-checklist.md"
ROW = re.compile(r"^\| (?P<id>\d\S*) \| (?P<what>.+?) \| (?P<how>.+) \| (?P<tests>.+?) \|$", re.M)
NO_TEST = "-"


def row(*ids):
    """A mark: this test shows that these rows of the checklist are met."""
    return pytest.mark.row(*ids)


@cache
def marked():
    """The names of the tests with a mark, by row."""
    found = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            for mark in getattr(node, "decorator_list", ()):
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "row":
                    for argument in mark.args:
                        found[ast.literal_eval(argument)].append(node.name)
    return found


def filled(page):
    """The page, with the marked tests in the last column of its table."""
    tests = marked()

    def fill(found):
        names = ", ".join(f"`{name}`" for name in tests[found["id"]]) or NO_TEST
        return f"| {found['id']} | {found['what']} | {found['how']} | {names} |"

    return ROW.sub(fill, page)


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
