"""An address is verified by a mailed link, whose page has a button."""

import pytest

from e2ereset.errors import SettingsError
from e2ereset.server.people.models import Email
from tests.kit.people import refused

ROUTE, URL = "/api/v1/users.sendConfirmationEmail", "https://chat.example.org"


@pytest.fixture
def public(with_settings):
    """A server that knows its public address."""
    return with_settings(E2ERESET_SERVER_PUBLIC_URL=URL)


@pytest.fixture
def ann(world):
    """Somebody with an address that is not verified, and one that is."""
    return world.person("ann", emails=["ann@x.org!", "old@x.org"], key=False)


def send(world, person, address):
    return world.client.post(ROUTE, json={"email": address}, headers=person.headers)


def mailed(world):
    """The path of the link that was mailed last."""
    return world.queued("verify-email")[-1][1]["link"].removeprefix(URL)


def verified(world):
    return {row.address for row in world.rows(Email) if row.verified}


def test_the_button_verifies_the_address_once_and_a_look_changes_nothing(public, ann):
    assert send(public, ann, "ANN@x.org").json == {"success": True}
    ((to, _),) = public.queued("verify-email")
    path = mailed(public)
    for _ in range(2):
        page = public.client.get(path)
        assert (page.status_code, "Verify my e-mail address</button>" in page.text) == (200, True)
        assert page.headers["Referrer-Policy"] == "no-referrer"
    assert (to, verified(public)) == ("ann@x.org", {"old@x.org"})
    assert public.client.post(path).status_code == 200
    assert verified(public) == {"ann@x.org", "old@x.org"}
    assert public.outcomes() == [("verify-email", ann.id, ann.id, "", "verified")]
    assert {to for to, _ in public.queued("account-changed")} == {"ann@x.org", "old@x.org"}
    assert public.client.post(path).status_code == 410


@pytest.mark.parametrize("used", [True, False])
def test_a_link_is_over_once_it_was_used_or_its_address_was_away(public, post, boss, ann, used):
    def update(**data):
        assert post(boss, "users.update", {"userId": ann.id, "data": data}).status_code == 200

    update(email="ann@x.org")
    public.clock.now += 1
    send(public, ann, "ann@x.org")
    path = mailed(public)
    if used:
        assert public.client.post(path).status_code == 200
        update(verified=False)
    else:
        update(email="a@y.org")
        update(email="ann@x.org")
    assert public.client.post(path).status_code == 410
    assert "ann@x.org" not in verified(public)


def test_the_mail_has_the_link(public, ann):
    send(public, ann, "ann@x.org")
    with public.app.app_context():
        public.runtime.worker.run_due()
    (message,) = public.app.extensions["mailman"].outbox
    assert URL + "/verify-email/" in message.body


def test_a_link_is_for_its_day_its_user_and_its_address_only(public, ann, clock):
    eve = public.person("eve", emails=["eve@x.org!"], key=False)
    send(public, ann, "ann@x.org")
    path = mailed(public)
    user_id, until, digest = path.rpartition("/")[2].split(".")
    for token in (
        f"{eve.id}.{until}.{digest}",
        f"{user_id}.{int(until) + 1}.{digest}",
        f"%00.{until}.{digest}",
        f"{user_id}.{until}.{digest[:-1]}x",
        *(f"{user_id}.{wrong}.{digest}" for wrong in ("", "x", "9" * 400)),
        "x",
    ):
        assert public.client.post(f"/verify-email/{token}").status_code == 410
    clock.now += 86400
    assert public.client.post(path).status_code == 410
    assert verified(public) == {"old@x.org"}


def test_other_addresses_get_no_mail_and_the_same_answer(public, ann):
    public.person("eve", emails=["eve@x.org!"], key=False)
    for address in ("eve@x.org", "old@x.org", "nobody@x.org", ""):
        assert send(public, ann, address).json == {"success": True}
    assert public.queued("verify-email") == []


def test_mails_have_a_budget(public, ann, clock):
    for _ in range(20):
        assert send(public, ann, "ann@x.org").json == {"success": True}
        clock.now += 40
    assert 1 <= len(public.queued("verify-email")) <= 5


def test_a_server_without_a_public_address_mails_no_link(world, ann):
    assert refused(send(world, ann, "ann@x.org"))[2] == "error-email-send-failed"
    assert world.client.post(ROUTE, json={"email": "ann@x.org"}).status_code == 401


def test_a_public_address_that_is_none_stops_the_start(with_settings):
    with pytest.raises(SettingsError, match="PUBLIC_URL"):
        with_settings(E2ERESET_SERVER_PUBLIC_URL="chat.example.org/")
