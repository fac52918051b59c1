"""The example's own test-suite passes."""

import subprocess
import sys

import pytest

from tests.kit.lines import embedding_lines
from tests.kit.paths import ROOT

HOST = ROOT / "examples" / "host_app"


def test_its_embedding_is_ten_lines_with_pages():
    assert (
        sum(embedding_lines(file.read_text(encoding="utf-8")) for file in HOST.glob("*.py")) <= 10
    )


def test_a_line_counts_that_makes_what_only_ours_uses():
    text = "from e2ereset import E2EReset\n\na = 1\nb = 2\ndef c():\n    return a\n"
    assert embedding_lines(text + "def d():\n    E2EReset(b, c)\n    print(b)\n") == 5


@pytest.mark.slow
def test_the_hosts_own_suite_passes():
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "examples/host_app/tests"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
