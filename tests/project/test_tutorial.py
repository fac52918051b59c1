"""The tutorial is true: its blocks run in their order, from an empty folder to a reset."""

import json
import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.kit.network import free_port, listens, wait_for
from tests.kit.paths import ROOT

TEXT = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+) ?(\S*)\n(.*?)```", TEXT, re.DOTALL)

pytestmark = pytest.mark.slow


class Reader:
    """Somebody who does what the tutorial says, on a free port, and notes each answer."""

    def __init__(self, folder):
        self.folder, self.port, self.server, self.said = folder, free_port(), None, ""
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.environ = {"PATH": path, "FLASK_RUN_PORT": str(self.port)}

    def do(self, kind, name, text):
        """Write the file, run the commands, or hold their answer to what the page says."""
        if kind == "python":
            (self.folder / name).write_text(text, encoding="utf-8")
        elif kind == "json":
            assert self.said.strip() == text.strip()
            json.loads(self.said)
        elif name == "server":
            self.server = self.start(text)
            wait_for(partial(listens, self.port), "the app of the tutorial")
        elif "pip install " not in text:  # the environment is the one that the tests run in
            self.said = self.run(text.replace("5000", str(self.port)))

    def start(self, text):
        return subprocess.Popen(["sh", "-c", f"exec {text}"], cwd=self.folder, env=self.environ)

    def run(self, text):
        command = ["bash", "-euo", "pipefail", "-c", text]
        options = {"cwd": self.folder, "env": self.environ, "stdout": subprocess.PIPE}
        return subprocess.run(command, check=True, text=True, **options).stdout


@pytest.fixture
def reader(tmp_path):
    reader = Reader(tmp_path)
    yield reader
    if reader.server:
        reader.server.terminate()
        reader.server.wait()


def test_every_block_does_what_the_page_says(reader):
    for block in BLOCKS:
        reader.do(*block)
    assert "Your E2E key was reset" in reader.said


def test_the_tutorial_ends_with_a_reset():
    answers = [text.strip() for kind, _, text in BLOCKS if kind == "json"]
    assert answers[-2] == '{"success":true}'
