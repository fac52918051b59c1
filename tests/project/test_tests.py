"""Tests stand for themselves: what several of them need is in tests/kit."""

import ast
import socket
from itertools import cycle

import pytest

from tests.kit import network
from tests.kit.network import free_port
from tests.kit.paths import ROOT, imported

FILES = sorted((ROOT / "tests").rglob("*.py"))
KIT = ROOT / "tests" / "kit"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_test_imports_another(path):
    ours = {name for name in imported(path) if name.startswith("tests.")}
    assert [name for name in ours if not name.startswith("tests.kit")] == []


def test_every_helper_is_in_the_kit():
    helpers = {path for path in FILES if not path.name.startswith(("test_", "conftest", "fuzz_"))}
    assert [path for path in helpers if KIT not in path.parents] == []


def test_one_fixture_of_a_name_is_in_the_kit():
    names = [
        node.name
        for path in KIT.glob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_a_free_port_is_nobodys_and_given_once(monkeypatch):
    mine, other = free_port(), free_port()
    assert mine != other
    monkeypatch.setattr(network, "PORTS", cycle([mine, other]))
    with socket.create_server(("127.0.0.1", mine)):
        assert free_port() == other
