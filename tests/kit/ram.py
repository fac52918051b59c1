"""A base folder in memory: what the tests write is gone after them, no disk has to see it."""

import os
import shutil
import tempfile

MEMORY = "/dev/shm"
ENOUGH = 2 << 30  # bytes; a container may have as little as 64 MB


def memory():
    """Where to make a folder in memory; None where there is too little of it: on the disk then."""
    if not os.access(MEMORY, os.W_OK) or shutil.disk_usage(MEMORY).free < ENOUGH:
        return None
    return MEMORY


def claim_base(config):
    """Have this run of pytest keep its folders in memory, unless it was told where to."""
    # A worker of xdist is told where by its controller.
    if config.option.basetemp is None and (where := memory()):
        base = tempfile.mkdtemp(prefix="e2ereset-", dir=where)
        config.option.basetemp = base
        config.add_cleanup(lambda: shutil.rmtree(base, ignore_errors=True))
