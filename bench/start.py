"""How long the server takes until it can serve, beside importing the libraries that it needs."""

import os
import subprocess
import sys
from collections.abc import Mapping
from statistics import median
from tempfile import TemporaryDirectory

from tests.kit.paths import ROOT

ROUNDS = 7
LIBRARIES = (
    "bcrypt, blinker, click, flask, flask_limiter, flask_mailman, flask_sqlalchemy, jinja2,"
    " limits, marshmallow, pyotp, pythonjsonlogger.json, sqlalchemy.orm, werkzeug,"
    " sqlalchemy.dialects.sqlite, cryptography.hazmat.primitives.ciphers.aead,"
    " cryptography.hazmat.primitives.kdf.hkdf"
)
SERVER = "from e2ereset.server.app import create_app; create_app()"
TIMED = "import time; t = time.perf_counter(); {}; print(time.perf_counter() - t)"


def ratio(settings: Mapping[str, str]) -> float:
    """The time of the start, divided by that of the imports; each in a new process, in turns."""
    env = os.environ | settings | {"PYTHONPATH": str(ROOT)}
    codes = (SERVER, f"import {LIBRARIES}")
    with TemporaryDirectory(prefix="e2ereset-bench-") as folder:
        # Modules are read compiled, as pip leaves them where it installs.
        env |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": folder}
        rounds = [[_seconds(code, env) for code in codes] for _ in range(ROUNDS + 1)]
    return median(ours / theirs for ours, theirs in rounds[1:])  # the first one fills caches


def _seconds(code: str, env: Mapping[str, str]) -> float:
    command = [sys.executable, "-c", TIMED.format(code)]
    return float(subprocess.run(command, env=env, stdout=subprocess.PIPE, check=True).stdout)
