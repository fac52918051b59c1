"""The tutorial is true: its blocks run in their order, from an empty folder to a reset."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.network import free_port, wait_for
from tests.kit.paths import ROOT

TEXT = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+) ?(\S*)\n(.*?)```", TEXT, re.DOTALL)
PORT = "5000"
# The environment is the one that the tests run in.
INSTALLS = "pip install "

pytestmark = pytest.mark.slow


class Reader:
    """Somebody who does what the tutorial says, on a free port, and notes each answer."""

    def __init__(self, folder):
        self.folder = folder
        self.port = str(free_port())
        here = str(Path(sys.executable).parent)
        self.environ = {"PATH": f"{here}:{os.environ['PATH']}", "FLASK_RUN_PORT": self.port}
        self.server = None
        self.said = ""

    def do(self, kind, name, text):
        """Write the file, run the commands, or hold their answer to what the page says."""
        if kind == "python":
            (self.folder / name).write_text(text, encoding="utf-8")
        elif kind == "json":
            assert self.said.strip() == text.strip()
            json.loads(self.said)
        elif name == "server":
            self.server = self.start(text)
            wait_for(self.answers, "the app of the tutorial")
        elif INSTALLS not in text:
            self.said = self.run(text.replace(PORT, self.port))

    def start(self, text):
        return subprocess.Popen(["sh", "-c", f"exec {text}"], cwd=self.folder, env=self.environ)

    def answers(self):
        url = f"http://127.0.0.1:{self.port}/"
        return subprocess.run(["curl", "-s", url], capture_output=True).returncode == 0

    def run(self, text):
        command = ["bash", "-euo", "pipefail", "-c", text]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environ, check=True, capture_output=True, text=True
        )
        return done.stdout


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
