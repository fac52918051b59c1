"""The kit for pages: their blueprint, their requests, and what a refusal becomes in a browser."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from flask import (
    Blueprint,
    Flask,
    Response,
    current_app,
    make_response,
    redirect,
    request,
    url_for,
)
from marshmallow import EXCLUDE
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BuildError
from werkzeug.wrappers import Response as AnyResponse

from e2ereset.errors import (
    CrossSite,
    NoFactor,
    NotSignedIn,
    Refusal,
    ResetHeld,
    SettingsError,
)
from e2ereset.factors.changes import FactorChanges
from e2ereset.factors.own_passkeys import OwnPasskeys
from e2ereset.http import Body, envelope
from e2ereset.http.gates import note_page
from e2ereset.http.origin import caller_network
from e2ereset.http.rates import Kind
from e2ereset.kept.service import KeptRequests
from e2ereset.ports import EndsOtherSessions
from e2ereset.records import Action, ActionRequest, Caller, epoch_of
from e2ereset.reset.holds import Held
from e2ereset.runtime import Runtime

from .flow import PROVABLE, Flow, TooLongToKeep, address_of, wants_page
from .overview import Link, Overview
from .page import FOLDER, NAME, OWN_BASE, Pages
from .refused import BROKEN, GONE, told, told_of

EXTENSION = "e2ereset_pages"
NUMBER = re.compile("[1-9][0-9]{0,5}")
LOOK = "look-at-page"
"""The action of the audit row of a page that was refused; the target is its rule."""


class Form(Body):
    """The fields of a form on a page. The token of a host's CSRF protection is left out."""

    def load_form(self, form: Any) -> Any:
        """As `Body.load_form`, and spaces around a text do not count."""
        typed = {name: text.strip() for name, text in form.items() if name != "csrf_token"}
        return super().load_form(typed)


class Fields(Form):
    """A form of which a page reads a few fields."""

    class Meta:
        """Other fields are ignored."""

        unknown = EXCLUDE


@dataclass(frozen=True, slots=True, kw_only=True)
class Site(Pages):
    """The pages of one app, and how they are asked for.

    `names` are those of all blueprints of pages; `overview` has the lines of My security.
    """

    flow: Flow
    passkeys: OwnPasskeys
    names: set[str] = field(default_factory=set)
    overview: Overview = field(default_factory=Overview)

    def blueprint(self, name: str, url_prefix: str) -> Blueprint:
        """An empty blueprint of pages: refusals become pages, or lead to the page of the proof."""
        shared: dict[str, Any] = {}
        if name == NAME:
            shared = {
                "template_folder": str(FOLDER / "templates"),
                "static_folder": str(FOLDER / "static"),
            }
        blueprint = self.runtime.gates.blueprint(name, url_prefix=url_prefix, pages=True, **shared)
        self.names.add(name)
        blueprint.before_request(note_page)
        blueprint.before_request(self._refuse_other_origins)
        self.handle_errors(blueprint)
        return blueprint

    def handle_errors(self, blueprint: Blueprint) -> None:
        """Make pages of what the views of this blueprint refuse, and of their faults."""
        blueprint.register_error_handler(Refusal, self.refused)
        blueprint.register_error_handler(HTTPException, self._failed)
        for fault in envelope.FAULTS:
            blueprint.register_error_handler(fault, self.faulty)

    @property
    def methods(self) -> list[str]:
        """The second-factor methods of this app."""
        return [one.name for one in self.runtime.strategies]

    @property
    def ends_others(self) -> bool:
        """Whether the other sign-ins of who adds a factor end; not every host has a way to."""
        return isinstance(self.runtime.accounts, EndsOtherSessions)

    def form(self, schema: Form) -> dict[str, Any]:
        """The fields of this request's form. Raises InvalidParams with the first fault."""
        return self.runtime.gates.body(schema)

    def asked(self, action: Action, *permissions: str) -> ActionRequest:
        """The signed-in caller's request for this action, within the rate.

        Raises NotSignedIn, TooManyRequests, and MissingPermission unless the caller holds one of
        the permissions, if there are any. The last two leave an audit row.
        """
        return self._entered(action, "guarded", permissions)

    def caller(self, *permissions: str) -> Caller:
        """The caller who looks at a page. Raises as `asked` does."""
        look = Action(name=LOOK, target=str(request.url_rule))
        return self._entered(look, "read", permissions).caller

    def _entered(self, action: Action, kind: Kind, permissions: Sequence[str]) -> ActionRequest:
        gates = self.runtime.gates
        asked = gates.action_request(action)
        with gates.recorded(asked):
            gates.rate_limit(kind)
            if permissions:
                gates.permit_any(asked, *permissions)
        return asked

    def held(self, caller: Caller) -> Held | None:
        """The hold of resets of this caller's key; None where there is none."""
        runtime = self.runtime
        status = runtime.factors.status(caller.account.id)
        return runtime.resets.holds.seen_by(caller, status, int(runtime.clock()))

    def permitted(self, caller: Caller, links: Iterable[Link]) -> Iterator[Link]:
        """Those of the links that this caller may follow."""
        for one in links:
            allows, mine = self.runtime.gates.allows, caller.account.roles
            if not one.permissions or any(allows(mine, name) for name in one.permissions):
                yield one

    def go(self, endpoint: str, **values: Any) -> AnyResponse:
        """Lead the browser to another page, after something was done."""
        return redirect(url_for(endpoint, **values), 303)

    def refused(self, refusal: Refusal) -> AnyResponse:
        """What a browser sees of a refusal."""
        if isinstance(refusal, NotSignedIn):
            return self._sign_in()
        if isinstance(refusal, PROVABLE) and refusal.action is not None:
            try:
                return self.flow.lead(refusal, refusal.action, self.runtime.gates.known())
            except TooLongToKeep as too_long:
                refusal = too_long
        status = envelope.status_of(type(refusal))
        until = epoch_of(refusal.details["until"]) if isinstance(refusal, ResetHeld) else None
        young = self._is_young(refusal)
        return self.page(
            "refused",
            status=status,
            said=told(self.words(), refusal),
            code=refusal.code,
            young=young,
            until=until,
        )

    def missing(self, status: int) -> Response:
        """The page for an address that leads nowhere."""
        said = told_of(self.words(), 404)
        return self.page("refused", status=status, said=said, missing=True)

    def note_if_page(self) -> None:
        """Note of a request for a view of the host's that a page can come of it."""
        if wants_page():
            note_page()

    def guard_refused(self, refusal: Refusal) -> AnyResponse | None:
        """The same for a view of the host's behind the gate; None for whoever wants no page."""
        return self.refused(refusal) if wants_page() else None

    def guard_faulty(self, fault: Exception) -> Response | None:
        """What such a browser sees when something of ours is gone, or busy; else None."""
        return self.faulty(fault) if wants_page() else None

    def faulty(self, fault: Exception) -> Response:
        """What a browser sees when something of ours is gone, busy or broken."""
        answer = envelope.faulty(fault)
        gone = isinstance(fault, envelope.FAULTS)
        page = self.page(
            "unavailable", status=answer.status_code, said=self.translate(GONE if gone else BROKEN)
        )
        page.headers["Retry-After"] = answer.headers["Retry-After"]
        return page

    def _is_young(self, refusal: Refusal) -> bool:
        """Whether the reader has a factor, which is younger than the sign-in that it cannot prove.

        Who has just set one up would otherwise be told to set one up.
        """
        caller = self.runtime.gates.known() if isinstance(refusal, NoFactor) else None
        return bool(caller and self.runtime.factors.status(caller.account.id).in_use)

    def _refuse_other_origins(self) -> None:
        if request.method == "POST" and not self.runtime.gates.cross_site.is_own_origin():
            raise CrossSite()

    def _sign_in(self) -> AnyResponse:
        manager = getattr(current_app, "login_manager", None)
        page = self.runtime.settings.sign_in_page
        if page:
            asked = address_of(request.path, request.query_string.decode("latin-1"))
            back, lost = (asked, None) if request.method == "GET" else (None, 1)
            return redirect(_sign_in_page(page, next=back, lost=lost), 303)
        if manager is not None:  # Flask-Login's, which knows the way and flashes its words
            unauthorized: Callable[[], AnyResponse] = manager.unauthorized
            with suppress(HTTPException):  # it knows no page, either
                return make_response(unauthorized())
        return self.page(
            "refused", status=401, said=self.translate(NotSignedIn.plain), code=NotSignedIn.code
        )

    def _failed(self, error: HTTPException) -> AnyResponse:
        status = error.code or 500
        if error.response is not None or status < 400:
            return error.get_response()
        if status >= 500:
            said = told_of(self.words(), status)
            return self.page("unavailable", status=status, said=said)
        if status == 404:
            return self.missing(status)
        return self.page("refused", status=status, said=told_of(self.words(), status))


def page_number() -> int:
    """Which page of a list was asked for; the first, unless it is a number."""
    asked = request.args.get("page", "")
    return int(asked) if NUMBER.fullmatch(asked) else 1


def _sign_in_page(page: str, **told: Any) -> str:
    """The address of the page of this endpoint, or path. Raises SettingsError without one."""
    if "/" in page:
        return page
    try:
        return url_for(page, **told)
    except BuildError:
        raise SettingsError(
            f"E2ERESET_SIGN_IN_PAGE is {page!r}, and there is no such endpoint."
        ) from None


def find_site(app: Flask | None = None) -> Site:
    """The pages of this app, or of the current one. Raises SettingsError when it has none."""
    site: Site | None = (app or current_app).extensions.get(EXTENSION)
    if site is None:
        raise SettingsError('This app has no pages. Give E2EReset the area "pages".')
    return site


def make_site(runtime: Runtime) -> Site:
    """The kit of the pages of one app."""
    flow = Flow(
        gates=runtime.gates,
        kept=KeptRequests(runtime, partial(caller_network, runtime.settings.ipv6_prefix)),
        entropy=runtime.entropy,
        page=f"{NAME}.prove",
    )
    passkeys = OwnPasskeys(
        runtime,
        strategies=runtime.strategies,
        changes=FactorChanges(runtime, runtime.budgets),
        stepup=runtime.stepup,
    )
    base = runtime.settings.pages_base or OWN_BASE
    return Site(runtime=runtime, flow=flow, passkeys=passkeys, base=base)
