"""docs/python-api.md has every public name, with its docstring."""

import inspect
import re
import subprocess
import sys
from importlib import import_module

import pytest

from tests.kit.paths import ROOT

PAGE = (ROOT / "docs" / "python-api.md").read_text(encoding="utf-8")
MODULES = [import_module(name) for name in re.findall(r"automodule:: (\S+)", PAGE)]
PUBLIC = [(m, name) for m in MODULES for name in getattr(m, "__all__", ())]


@pytest.mark.parametrize(("module", "name"), PUBLIC)
def test_a_public_name_has_a_docstring(module, name):
    assert inspect.getdoc(getattr(module, name))


@pytest.mark.slow
def test_every_public_name_is_on_the_page(tmp_path):
    pytest.importorskip("sphinx", reason="needs e2ereset[docs]")
    build = [sys.executable, "-m", "sphinx", "-q", "-b", "dirhtml", ROOT / "docs", tmp_path]
    subprocess.run(build, check=True)
    show = [sys.executable, "-m", "sphinx.ext.intersphinx", tmp_path / "objects.inv"]
    done = subprocess.run(show, check=True, capture_output=True, text=True)
    shown = set(re.findall(r"^\s+e2ereset\S*\.(\w+) ", done.stdout, re.MULTILINE))
    assert {name for _, name in PUBLIC} - shown == set()
