"""The authenticator app: enrolling it by a QR code, and disabling it."""

import json
from collections.abc import Iterable
from dataclasses import replace

from flask import Blueprint, Response, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from e2ereset.crypto import UnknownKey
from e2ereset.errors import EnrolmentInvalid, InvalidParams, TooManyAttempts
from e2ereset.factors.changes import Enrolment
from e2ereset.factors.enrolment import FactorStatus
from e2ereset.factors.own import BEGIN, CONFIRM, DISABLE, RESET
from e2ereset.http import proof
from e2ereset.languages.words import N_
from e2ereset.ports import HoldsSessions
from e2ereset.records import Action, Caller

from .codes_routes import codes_page
from .cookies import set_cookie
from .overview import Factor, Link, line
from .qr import qr_code
from .site import Site
from .tries import CODE, wrong_code

COOKIE = "e2ereset_authenticator"
"""The secret that this browser was shown, encrypted for its sign-in, until it is confirmed."""
SHOWN_SECONDS = 1800
GROUP = 4
OFF = "totp-off"
WRONG_FIRST = N_(
    "This code is not right. Wait for the next one. If you have begun more than once, scan the code"
    " below again."
)


def add_routes(blueprint: Blueprint, site: Site) -> None:
    """Put the pages on the blueprint, and the line on My security, where it is a method."""
    if "totp" not in site.methods:
        return
    site.overview.factors.append(lambda caller, status: _lines(site, caller, status))
    site.overview.done[OFF] = N_("The authenticator app is off, and its backup codes are deleted.")
    _add_enrolment(blueprint, site)
    _add_removal(blueprint, site)


def _add_enrolment(blueprint: Blueprint, site: Site) -> None:
    own, gates = site.runtime.own_factors, site.runtime.gates

    @blueprint.post("/authenticator")
    def begin_totp() -> AnyResponse:
        """Make a secret, behind the factors that the caller has."""
        asked = site.asked(Action(name=BEGIN))
        with gates.waking():
            made = own.begin_totp(asked.caller, proof(), asked.now)
        response = site.go(".show_totp")
        _show_to(site, response, asked.caller, made.secret)
        return response

    @blueprint.get("/authenticator")
    def show_totp() -> Response:
        """Show the secret that was made, to the browser and the sign-in that asked for it."""
        return _secret_page(site, site.caller())

    @blueprint.post("/authenticator/confirm")
    def confirm_totp() -> AnyResponse:
        """Enable the app by a first code; the backup codes are shown in this answer only."""
        asked = site.asked(Action(name=CONFIRM))
        try:
            code = site.form(CODE)["code"]
            with gates.waking():
                codes = own.confirm_totp(asked.caller, code, asked.now)
        except EnrolmentInvalid:
            return _secret_page(site, asked.caller, error=site.translate(WRONG_FIRST))
        except (InvalidParams, TooManyAttempts) as refusal:
            return _secret_page(site, asked.caller, error=wrong_code(site, refusal))
        response = codes_page(site, asked.caller, codes, enrolled=True)
        response.delete_cookie(COOKIE, path=url_for(".show_totp"))
        return response


def _add_removal(blueprint: Blueprint, site: Site) -> None:
    own, gates = site.runtime.own_factors, site.runtime.gates

    @blueprint.get("/authenticator/off")
    def leave_totp() -> Response:
        """Ask for a code of what is to be disabled."""
        return _removal_page(site, site.caller())

    @blueprint.post("/authenticator/off")
    def disable_totp() -> AnyResponse:
        """Disable the app by a code or a backup code of it."""
        asked = site.asked(Action(name=DISABLE))
        try:
            code = site.form(CODE)["code"]
            with gates.waking():
                done = own.disable_totp(asked.caller, code, asked.now)
        except (InvalidParams, TooManyAttempts) as refusal:
            return _removal_page(site, asked.caller, error=wrong_code(site, refusal))
        if not done:
            return _removal_page(site, asked.caller, error=wrong_code(site))
        return site.go(".overview", done=OFF)

    @blueprint.post("/authenticator/lost")
    def reset_totp() -> AnyResponse:
        """Disable the app by another factor; every sign-in of the account ends."""
        asked = site.asked(Action(name=RESET))
        with gates.waking():
            own.reset_totp(asked.caller, None, proof(), asked.now)
        return site.go(".overview", done=OFF)


def _lines(site: Site, caller: Caller, status: FactorStatus) -> Iterable[Factor]:
    t = site.translate
    found = line("totp", t("Authenticator app"), caller, status)
    if not status.totp:
        begin = Link(label=t("Set up"), endpoint=".begin_totp", posts=True)
        yield replace(found, links=(begin,))
        return
    left = t("Backup codes left: %(count)s", count=status.backup_codes_left)
    renew = Link(label=t("New backup codes"), endpoint=".ask_for_codes")
    off = Link(label=t("Switch off"), endpoint=".leave_totp")
    yield replace(found, notes=(left,), links=(renew, off))


def _secret_page(site: Site, caller: Caller, *, error: str = "") -> Response:
    shown, status = _shown_to(site, caller), 400 if error else 200
    if shown is None:
        if site.runtime.factors.status(caller.account.id).totp:  # also who loads their codes again
            return site.page("authenticator", secret=None, on=True)
        over = error and site.translate("The set-up has expired. Begin again.")
        return site.page("authenticator", status=status, secret=None, on=False, error=over)
    secret = shown.secret
    groups = [secret[at : at + GROUP] for at in range(0, len(secret), GROUP)]
    return site.page(
        "authenticator",
        status=status,
        secret=" ".join(groups),
        url=shown.url,
        qr=qr_code(shown.url),
        error=error,
        field="code",
    )


def _removal_page(site: Site, caller: Caller, *, error: str = "") -> Response:
    status = site.runtime.factors.status(caller.account.id)
    others = [one for one in site.overview.lines(caller, status) if one.method != "totp"]
    return site.page(
        "authenticator_off",
        status=400 if error else 200,
        on=status.totp,
        others=any(one.proves for one in others),
        ends=isinstance(site.runtime.accounts, HoldsSessions),
        error=error,
        field="code",
    )


def _show_to(site: Site, response: AnyResponse, caller: Caller, secret: str) -> None:
    """Let this browser see the secret again, in this sign-in."""
    sealed = site.runtime.keyring.encrypt(COOKIE, _reader(caller), secret)
    only_there = {"max_age": SHOWN_SECONDS, "path": url_for(".show_totp")}
    set_cookie(response, site.runtime.settings, COOKIE, sealed, **only_there)


def _shown_to(site: Site, caller: Caller) -> Enrolment | None:
    """What this browser was shown in this sign-in, while it waits for its first code."""
    sealed = request.cookies.get(COOKIE, "")
    try:
        secret = site.runtime.keyring.decrypt(COOKIE, _reader(caller), sealed)
    except UnknownKey:
        return None
    return site.runtime.own_factors.pending_totp(caller, secret)


def _reader(caller: Caller) -> str:
    return json.dumps([caller.account.id, caller.sign_in])
