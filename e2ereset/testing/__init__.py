"""For the tests of a host, and of a strategy.

Turn the fixtures on with `pytest_plugins = ["e2ereset.testing"]` in the top `conftest.py`, and
give the fixture that makes your app the name `app`.
"""

import pytest
from flask import Flask

from .contract import StrategyContract
from .doubles import (
    FakeClock,
    Mail,
    Mailbox,
    MemoryAccounts,
    TotpDevice,
    enable_email,
    enrol_totp,
    make_account,
)
from .rollback import rolled_back


@pytest.fixture
def e2ereset_clock() -> FakeClock:
    """A clock for the app under test: `E2EReset(..., clock=e2ereset_clock)`."""
    return FakeClock()


@pytest.fixture
def e2ereset_mailbox(app: Flask) -> Mailbox:
    """The mail box of the fixture `app`."""
    return Mailbox(app)


__all__ = [
    "FakeClock",
    "Mail",
    "Mailbox",
    "MemoryAccounts",
    "StrategyContract",
    "TotpDevice",
    "enable_email",
    "enrol_totp",
    "make_account",
    "rolled_back",
]
