"""What every worker of a parallel run must collect alike: the same tests, in the same order."""

import re

import pytest


def refuse_sets(metafunc):
    """A set has another order in each process."""
    for mark in metafunc.definition.iter_markers("parametrize"):
        if len(mark.args) > 1 and isinstance(mark.args[1], (set, frozenset)):
            raise pytest.UsageError(f"{metafunc.definition.nodeid}: sort what it runs over")


def refuse_addresses(items):
    """A name with an object's address in it is another in each process."""
    named = [item.nodeid for item in items if re.search(r" at 0x[0-9a-f]{6}", item.nodeid)]
    if named:
        raise pytest.UsageError(f"give these tests ids: {named}")
