"""An administrator with TOTP, and a browser in which they are signed in."""

import pytest

from tests.kit.pages import browser_of


@pytest.fixture
def boss(world):
    return world.person("boss", totp=True, roles=("admin",))


@pytest.fixture
def browser(world, boss):
    return browser_of(world, boss)
