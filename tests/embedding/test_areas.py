"""A host has the routes of the areas that it switches on, and no others."""

import pytest
from flask_sqlalchemy import SQLAlchemy

from e2ereset import E2EReset
from e2ereset.errors import SettingsError
from e2ereset.testing import MemoryAccounts
from tests.kit.host import BOB

RESET = {"users.resetE2EKey", "users.2fa.sendEmailCode", "users.unlockFactor"}
DOCUMENT = {"openapi.json", "openapi.html"}  # of the areas that are on
KEYS = {"e2e.setUserPublicAndPrivateKeys", "e2e.fetchMyKeys"}


def routes(host):
    """The names of the routes below the prefix."""
    rules = (rule.rule for rule in host.app.url_map.iter_rules())
    return {
        rule.removeprefix("/api/v1/") for rule in rules if rule.startswith("/api/v1/")
    } - DOCUMENT


def test_a_host_has_the_resets_alone_unless_it_says_more():
    assert E2EReset(db=SQLAlchemy(), accounts=MemoryAccounts(), identify=dict).areas == ("reset",)


@pytest.mark.parametrize(
    ("areas", "expected"),
    [(["reset"], RESET), ("keys", KEYS), (("keys", "reset"), RESET | KEYS)],
)
def test_an_area_adds_its_routes(make_host, areas, expected):
    assert routes(make_host(options={"areas": areas})) == expected


def test_the_route_of_an_area_that_is_off_is_not_there(make_host):
    host = make_host(options={"areas": ["reset"]})
    assert host.post("/api/v1/e2e.setUserPublicAndPrivateKeys", BOB).status_code == 404


@pytest.mark.parametrize("areas", [[], ["resets"], ["reset", "rooms"], "all"])
def test_an_area_that_is_unknown_refuses_to_start(areas):
    with pytest.raises(SettingsError, match="reset, keys, factors"):
        E2EReset(db=SQLAlchemy(), accounts=MemoryAccounts(), identify=dict, areas=areas)
