"""The pages of one app: the template that they stand in, their headers, and their words."""

import logging
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Response, current_app, g, make_response, render_template, request
from jinja2 import Template, TemplateNotFound

from e2ereset.errors import SettingsError
from e2ereset.http import envelope
from e2ereset.languages import Words, pattern_of
from e2ereset.ports import KnowsReaders
from e2ereset.records import Action, Reader
from e2ereset.runtime import Runtime

FOLDER = Path(__file__).parent
OWN_BASE = "e2ereset/base.html"
MARK = "e2e-"
"""What begins every class of ours."""
NAME = "e2ereset_pages"
"""The name of the library's blueprint of pages, which has the sheet and the templates."""
WORDS, LANGUAGE = "e2ereset_words", "e2ereset_language"
"""Where `g` has the words of this request; the cookie of who chose a language without an account.
"""
HEADERS = {
    **envelope.HEADERS,
    # With no referrer at all a browser sends no Origin either, which shows other sites' forms.
    "Referrer-Policy": "same-origin",
    "X-Robots-Tag": "noindex",
}
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HOST_POLICY = "frame-ancestors 'none'"
"""In the base template of a host, the host says what else its pages may load."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """Makes pages, in the language of who looks at them. `base` is the template they stand in."""

    runtime: Runtime
    base: str = OWN_BASE
    _warned: set[str] = field(default_factory=set, init=False, repr=False)
    """What the log was told of this app already."""

    def page(self, template: str, *, status: int = 200, **facts: Any) -> Response:
        """The page that this template of ours makes of the facts."""
        words = self.words()
        html = render_template(
            f"e2ereset/{template}.html",
            base=self._base(),
            pages=NAME,
            t=words,
            counted=words.counted,
            time=words.time,
            lang=words.language,
            languages=self.runtime.languages.labels(),
            direction=words.direction,
            workspace=self.runtime.settings.workspace,
            **facts,
        )
        response: Response = make_response(html, status)
        response.headers.update(HEADERS)
        own = self.base == OWN_BASE
        if not own and MARK not in html and _is_ours(template) and _is_ours("page"):
            self._warn_of(self.base)
        response.headers.setdefault("Content-Security-Policy", POLICY if own else HOST_POLICY)
        return response

    def _base(self) -> Template:
        """The template that pages stand in. Raises SettingsError when the app has none such."""
        try:
            return current_app.jinja_env.get_template(self.base)
        except TemplateNotFound as missing:
            if missing.name != self.base:
                raise
        raise SettingsError(
            f"E2ERESET_PAGES_BASE is {self.base!r}, and there is no such template."
        ) from None

    def _warn_of(self, base: str) -> None:
        """Say in the log, once, that a page has nothing of ours: people see the frame alone."""
        if base not in self._warned:
            self._warned.add(base)
            log.warning(
                "A page came out empty. Has %r, of E2ERESET_PAGES_BASE, a block `content`?", base
            )

    def translate(self, text: str, **facts: Any) -> str:
        """The text in the reader's language."""
        return self.words()(text, **facts)

    def phrase(self, action: Action) -> str:
        """What the action does, in the reader's language; it completes "to ..."."""
        pattern, named = pattern_of(action.phrase or action.name.replace("-", " "))
        return self.translate(pattern, **named)

    def words(self) -> Words:
        """The words of the language of who looks at this page.

        It is the one that they chose, else one that their browser prefers.
        """
        if WORDS not in g:
            reader = Reader()
            with suppress(*envelope.FAULTS):  # the page that tells of an outage has words, too
                reader = self._reader() or reader
            wanted = [reader.language, request.cookies.get(LANGUAGE, "")]
            by_weight = sorted(request.accept_languages, key=lambda one: -one[1])
            wanted += [name for name, weight in by_weight if weight]
            setattr(g, WORDS, self.runtime.languages.words(*wanted, zone=reader.zone))
        words: Words = g.get(WORDS)
        return words

    def _reader(self) -> Reader | None:
        accounts, caller = self.runtime.accounts, self.runtime.gates.known()
        if caller is None or not isinstance(accounts, KnowsReaders):
            return None
        with self.runtime.transactions.look_up() as session:
            return accounts.reader(session, caller.account.id)


def _is_ours(template: str) -> bool:
    """Whether this template is the one of ours: a host's may have no class that is marked."""
    found = current_app.jinja_env.get_template(f"e2ereset/{template}.html")
    return Path(found.filename or "").is_relative_to(FOLDER)
