"""People and calls of the tests of rooms."""

import pytest

from tests.kit.client import API
from tests.kit.people import PROOF


@pytest.fixture
def post(world):
    """POST to a route as this person, with a proof by the password where that is one."""

    def post(person, route, **body):
        return world.client.post(API + route, json=body, headers=person.headers | PROOF)

    return post


@pytest.fixture
def ben(world):
    """Somebody whom Ann invites."""
    return world.person("ben", key=False, emails=[])
