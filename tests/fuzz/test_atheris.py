"""A minute of atheris, where it is installed."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

HARNESS = Path(__file__).with_name("fuzz_requests.py")
SECONDS = 60


def test_a_minute_of_fuzzing_finds_no_fault(tmp_path):
    pytest.importorskip("atheris", reason="pip install -e .[fuzz]")
    command = [
        sys.executable,
        HARNESS,
        f"-max_total_time={SECONDS}",
        f"-artifact_prefix={tmp_path}/",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10 * SECONDS)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert "Done " in done.stderr
