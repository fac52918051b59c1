"""Administrators and others who call the API of accounts, roles and permissions."""

import pytest

from tests.kit.client import API
from tests.kit.world import sha256

PROOF = {"x-2fa-code": sha256("pw"), "x-2fa-method": "password"}
FORBIDDEN = {
    "success": False,
    "error": "User does not have the permissions required for this action [error-unauthorized]",
}


@pytest.fixture
def boss(world):
    """An administrator whose second factor is the password, which is good again and again."""
    return world.person("boss", password="pw", roles=["admin"], key=False)


@pytest.fixture
def ann(world):
    """Somebody who holds nothing."""
    return world.person("ann", password="pw", key=False)


@pytest.fixture
def get(world):
    """GET a route as somebody, with this query."""
    return lambda person, name, **query: world.client.get(
        API + name, headers=person.headers, query_string=query
    )


@pytest.fixture
def post(world):
    """POST a body to a route as somebody, with a proof by the password."""
    return lambda person, name, body, proof=PROOF: world.client.post(
        API + name, headers=person.headers | proof, json=body
    )


def refused(answer):
    """(status, text, type) of a refusal."""
    return answer.status_code, answer.json["error"], answer.json.get("errorType")
