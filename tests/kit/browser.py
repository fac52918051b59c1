"""Debian's chromium, driven by playwright, and what every page has to hold in it."""

import json
import re
import shutil
import subprocess
from contextlib import contextmanager

import pytest

from tests.kit.live import make_live
from tests.kit.network import wait_for
from tests.kit.paths import ROOT

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
NARROW, WIDE = {"width": 320, "height": 640}, {"width": 1000, "height": 800}
HEAVIEST = 50_000  # bytes of a page with all that it loads
# Axe only wonders where text has the colour of what is behind it.
UNREADABLE = """[...document.querySelectorAll("main :is(a, button)")].filter(one => {
    const style = getComputedStyle(one);
    return style.color === style.backgroundColor;
}).map(one => one.textContent.trim())"""
# Axe lets small ones be where nothing is near; links within a sentence have its height.
TOO_SMALL = """[...document.querySelectorAll("main :is(a, button, input, select, textarea)")]
    .filter(one => getComputedStyle(one).display !== "inline" && one.getClientRects().length)
    .map(one => [one.textContent.trim() || one.name, one.getBoundingClientRect()])
    .filter(([_, box]) => box.width < 24 || box.height < 24)
    .map(([label, box]) => `${label}: ${box.width} x ${box.height}`)"""
# Buttons that stand on one another read as one.
TOUCHING = """[...document.querySelectorAll("main :is(button, a.e2e-button)")]
    .filter(one => one.getClientRects().length)
    .map(one => [one.textContent.trim(), one.getBoundingClientRect()])
    .flatMap(([label, box], n, all) => all.slice(n + 1)
        .filter(([_, other]) => Math.max(box.left, other.left) < Math.min(box.right, other.right)
            && other.top - box.bottom < 4 && box.top - other.bottom < 4)
        .map(([next]) => `${label} / ${next}`))"""
# The first lines of the cells of a row belong together.
ASKEW = """[...document.querySelectorAll("main tbody tr")].filter(row => {
    const first = [...row.cells].map(cell => {
        const range = document.createRange();
        range.selectNodeContents(cell);
        return range.getClientRects()[0]?.top;
    }).filter(top => top !== undefined);
    return Math.max(...first) - Math.min(...first) > 8;
}).map(row => row.textContent.trim())"""
REFUSED = re.compile("Failed to load resource: the server responded with a status of [45]")
WEIGHT = """[...performance.getEntriesByType("navigation"),
             ...performance.getEntriesByType("resource")]
            .reduce((sum, one) => sum + one.encodedBodySize, 0)"""


class Watched:
    """One page of a browser; what its console says and what it loads is kept."""

    def __init__(self, context, url, axe):
        self.url, self.axe = url, axe
        self.page = context.new_page()
        self.console, self.origins = [], set()
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.console.append(str(error)))
        self.page.on("request", lambda r: self.origins.add("/".join(r.url.split("/")[:3])))

    def _note(self, message):
        # A page of a refusal has its status, which chromium writes down.
        if not (REFUSED.match(message.text) and message.location["url"] == self.page.url):
            self.console.append(message.text)

    def open(self, path):
        self.page.goto(f"{self.url}{path}")
        return self

    def sign_in(self, name, password, code=None):
        """Sign in by the page, in a fresh browser."""
        self.open("/sign-in")
        self.fill("name", name)
        self.fill("password", password)
        self.press("Sign in")
        if code:
            self.prove(code)
        return self

    def fill(self, field, text):
        self.page.fill(f"#{field}", text)

    def press(self, label):
        """Press the button of this label (a text, or a pattern); wait for where it leads to."""
        with self.page.expect_navigation():
            self.page.get_by_role("button", name=label, exact=True).click()

    def prove(self, code):
        self.fill("code", code)
        self.press("Continue")

    @property
    def text(self):
        return self.page.inner_text("main")

    @property
    def heading(self):
        return self.page.inner_text("h1")

    def holds(self):
        """Check what every page has to hold, in the state that it is in."""
        assert self.violations() == []
        assert self.page.evaluate(UNREADABLE) == []
        assert self.page.evaluate(TOO_SMALL) == []
        assert self.console == []
        assert self.origins == {self.url}
        assert 0 < self.page.evaluate(WEIGHT) < HEAVIEST
        for size in (NARROW, WIDE):
            self.page.set_viewport_size(size)
            wide = self.page.evaluate("document.documentElement.scrollWidth")
            assert wide <= size["width"], f"{self.page.url} is {wide} wide at {size['width']}"
            assert self.page.evaluate(TOUCHING) == []
            assert self.page.evaluate(ASKEW) == []
        self.page.emulate_media(forced_colors="active")
        assert self.violations() == []
        self.page.emulate_media(forced_colors="none")

    def violations(self):
        """What axe finds: the rule, what it is about, and where."""
        self.page.evaluate(self.axe)
        options = json.dumps({"runOnly": WCAG})
        found = self.page.evaluate(f"axe.run(document, {options}).then(r => r.violations)")
        return [(one["id"], one["help"], [n["html"] for n in one["nodes"]]) for one in found]

    def focused(self):
        """The id, or the label, of what has the focus."""
        return self.page.evaluate(
            "document.activeElement.id || document.activeElement.textContent.trim()"
        )

    def starts_at_errors(self):
        """Check that the focus is on the errors; a browser sets it some time after loading."""
        on_errors = f"the focus on the errors of {self.page.url}"
        wait_for(lambda: self.focused() == "e2e-errors", on_errors)


@pytest.fixture(scope="session")
def axe(tmp_path_factory):
    """The source of axe-core, of its lock file."""
    folder = tmp_path_factory.mktemp("axe")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(ROOT / "tests" / "browser" / name, folder)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return (folder / "node_modules/axe-core/axe.min.js").read_text()


@pytest.fixture(scope="session")
def chromium():
    """The browser; each test has its pages in a context of its own."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with sync_api.sync_playwright() as driver:
        # As root, as CI runs it, chromium has no sandbox; it opens nothing but our own pages.
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The server that browsers look at."""
    with make_live(tmp_path_factory.mktemp("site")) as live:
        yield live


@pytest.fixture
def browse(chromium, axe, site):
    """Opens a fresh browser at the server; `scripts=False` switches JavaScript off."""
    contexts = []

    def browse(scripts=True, **options):
        contexts.append(chromium.new_context(java_script_enabled=scripts, **options))
        return Watched(contexts[-1], site.url, axe)

    yield browse
    for context in contexts:
        context.close()


@contextmanager
def virtual_authenticator(watched, *, verifies=True):
    """A passkey authenticator of chromium's, for this page; its id."""
    session = watched.page.context.new_cdp_session(watched.page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": verifies,
        "automaticPresenceSimulation": True,
    }
    made = session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    yield session, made["authenticatorId"]
    session.detach()
