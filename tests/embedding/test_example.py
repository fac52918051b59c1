"""The example's own test-suite passes."""

import subprocess
import sys

import pytest

from tests.kit.paths import ROOT


@pytest.mark.slow
def test_the_hosts_own_suite_passes():
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "examples/host_app/tests"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
