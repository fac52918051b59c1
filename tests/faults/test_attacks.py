"""The server under attack, as it is deployed: everybody who is signed in is answered."""

from statistics import median

import pytest

from bench.attacks import ATTACKS, measure
from bench.owners import attacked_server

pytestmark = pytest.mark.slow
PATIENCE = 2.5  # seconds; it takes over three where sign-ins may hold all threads, or for ever


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    folder = tmp_path_factory.mktemp("attacks")
    with attacked_server(folder, None, 60) as target:
        yield target


@pytest.mark.parametrize("name", ATTACKS)
def test_owners_are_served_while_it_is_attacked(target, name):
    look, by_app, by_mail = measure(target, ATTACKS[name], 3)
    assert (look.failed, by_app.failed, by_mail.failed) == (0, 0, 0)
    assert median(look.seconds + by_app.seconds) < PATIENCE
