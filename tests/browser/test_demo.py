"""What `make run` invites to: bob sets up an app by its QR code, and resets his key.

`PICTURES=docs/pictures` has the pictures of docs/pages.md made anew.
"""

import os
import re
from pathlib import Path

import pyotp
import pytest

from tests.kit.paths import ROOT

pytestmark = pytest.mark.slow
SIZE = {"width": 640, "height": 720}
HEAVIEST = 100_000


class Album:
    """Takes pictures of a page, and keeps them where the docs have theirs."""

    def __init__(self, watched, folder):
        self.page, self.folder, self.names = watched.page, Path(folder), []

    def take(self, name):
        file = self.folder / f"{name}.png"
        self.page.set_viewport_size(SIZE)
        self.page.screenshot(path=file, full_page=True, animations="disabled")
        assert file.stat().st_size < HEAVIEST
        self.names.append(file.name)


@pytest.fixture
def demo(site):
    """The facts of the demo, in rooms with each other."""
    facts = site.cli("demo", "--yes", "--url", site.url)
    assert facts["pages"] == f"{site.url}/security/"
    return facts


def test_bob_sets_up_an_app_by_its_qr_code_and_resets_his_key(browse, demo, site, tmp_path):
    watched = browse(permissions=["clipboard-read", "clipboard-write"])
    album = Album(watched, os.environ.get("PICTURES", tmp_path))
    watched.sign_in("bob", demo["passwords"]["bob"])
    watched.press(re.compile("^Set up ?: Authenticator app"))
    assert watched.heading == "Prove that it is you"
    watched.prove(demo["passwords"]["bob"])
    album.take("authenticator")
    secret = re.sub(r"\s", "", watched.page.inner_text(".e2e-secret"))
    watched.fill("code", pyotp.TOTP(secret).now())
    watched.press("Switch on")
    codes = watched.page.inner_text("#codes")
    assert len(codes.split()) == 12
    watched.page.get_by_role("button", name="Copy the codes").click()
    watched.page.get_by_text("The codes are copied.").wait_for()
    assert watched.page.evaluate("navigator.clipboard.readText()").split() == codes.split()
    watched.page.evaluate("window.print = () => { document.title = 'printed' }")
    watched.page.get_by_role("button", name="Print this page").click()
    assert watched.page.title() == "printed"
    assert not watched.page.is_visible("#codes-else")
    watched.holds()
    album.take("codes")
    watched.open("/security/")
    album.take("security")
    watched.open("/security/reset")
    album.take("reset")
    watched.page.get_by_role("link", name="Next: what may spare you this").click()
    watched.press("Reset my key")
    album.take("proof")
    helper = browse()
    console = Album(helper, album.folder)
    helper.sign_in("carol", demo["passwords"]["carol"])
    helper.open(f"/admin/people/{demo['userIds']['bob']}")
    console.take("console")
    album.names += console.names
    assert {file.name for file in (ROOT / "docs/pictures").glob("*.png")} == set(album.names)
