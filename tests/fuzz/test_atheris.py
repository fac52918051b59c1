"""A minute of atheris, where it is installed."""

import subprocess
import sys

import pytest

from tests.kit.paths import ROOT

pytestmark = pytest.mark.slow

SECONDS = 60


def test_a_minute_of_fuzzing_finds_no_fault(tmp_path):
    pytest.importorskip("atheris", reason="pip install -e .[fuzz]")
    command = [
        sys.executable,
        "-m",
        "tests.fuzz.fuzz_requests",
        f"-max_total_time={SECONDS}",
        f"-artifact_prefix={tmp_path}/",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=10 * SECONDS)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert "Done " in done.stderr
