"""People who sign in."""

import pytest


@pytest.fixture
def bob(world):
    """A user with a password and a verified address."""
    return world.person("bob", password="pw", key=False)


@pytest.fixture
def totp(world):
    """The TOTP of a bob with a password, too."""
    return world.person("bob", password="pw", totp=True, key=False).totp
