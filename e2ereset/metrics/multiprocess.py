"""The folder in which gunicorn's workers count; used by `gunicorn.conf.py`.

It must not import prometheus_client, which decides at its import how it counts.
"""

import os
import shutil
import tempfile

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
PREFIX = "e2ereset-metrics-"


def claim_folder() -> str:
    """Make a folder that only this gunicorn reads, and name it in the environment.

    A reload (SIGHUP) keeps the folder. A gunicorn that takes over (SIGUSR2) inherits the
    environment of the old one and makes a folder of its own. A folder that the operator names is
    left alone: the operator empties it.
    """
    named = os.environ.get(VARIABLE, "")
    ours = os.path.basename(named).startswith(PREFIX)
    if named and not (ours and not _is_mine(named)):
        return named
    os.environ[VARIABLE] = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-")
    return os.environ[VARIABLE]


def drop_folder() -> None:
    """Remove the folder, if this process made it."""
    if _is_mine(os.environ.get(VARIABLE, "")):
        shutil.rmtree(os.environ[VARIABLE], ignore_errors=True)


def _is_mine(folder: str) -> bool:
    return os.path.basename(folder).startswith(f"{PREFIX}{os.getpid()}-")
