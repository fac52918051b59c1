"""The page of one's passkeys: add, rename, remove."""

from collections.abc import Iterable

from flask import Blueprint, Response, request
from marshmallow.validate import Length
from werkzeug.wrappers import Response as AnyResponse

from e2ereset.errors import EnrolmentInvalid, InvalidParams
from e2ereset.factors.enrolment import FactorStatus, counts
from e2ereset.factors.own_passkeys import BEGIN, REMOVE, RENAME
from e2ereset.factors.passkeys import CONFIRM
from e2ereset.http import Text, proof
from e2ereset.languages.words import N_
from e2ereset.records import Action, Caller

from .cookies import set_cookie
from .flow import COOKIE, browser
from .overview import Factor, Link
from .site import Fields, Form, Site

ENDED = N_("The passkey was added. Your other sign-ins have ended.")
DONE = {
    "added": N_("The passkey was added."),
    "renamed": N_("The passkey was renamed."),
    "removed": N_("The passkey was removed."),
}


class NameForm(Fields):
    """The name of a passkey."""

    name = Text(required=True, validate=Length(min=1, max=100))


class RenameForm(NameForm):
    """The name for the passkey of this key."""

    key = Text(required=True, validate=Length(max=100))


class KeyForm(Form):
    """The key of a passkey."""

    key = Text(required=True, validate=Length(max=100))


class AnswerForm(Form):
    """What the script has of the browser."""

    code = Text(required=True, validate=Length(max=8192))


NAME, RENAMED, KEY, ANSWER = NameForm(), RenameForm(), KeyForm(), AnswerForm()


def add_routes(blueprint: Blueprint, site: Site) -> None:
    """Put the pages on the blueprint, and the lines on My security, where there are passkeys."""
    if not site.passkeys.on:
        return
    site.overview.factors.append(lambda caller, status: _lines(site, caller, status))
    _add_list(blueprint, site)
    _add_registration(blueprint, site)


def _add_list(blueprint: Blueprint, site: Site) -> None:
    own, gates = site.passkeys, site.runtime.gates

    @blueprint.get("/passkeys")
    def show_passkeys() -> Response:
        """List the caller's passkeys."""
        return _page(site, site.caller())

    @blueprint.post("/passkeys/rename")
    def rename_passkey() -> AnyResponse:
        """Give one another name, behind a factor."""
        asked = site.asked(Action(name=RENAME))
        try:
            form = site.form(RENAMED)
        except InvalidParams:
            key = request.form.get("key", "")
            return _page(site, asked.caller, error=_nameless(site), field=f"name-{key}")
        with gates.waking():
            own.rename(asked.caller, form["key"], proof(), asked.now, name=form["name"])
        return site.go(".show_passkeys", done="renamed")

    @blueprint.post("/passkeys/remove")
    def remove_passkey() -> AnyResponse:
        """Remove one, behind a factor."""
        asked = site.asked(Action(name=REMOVE))
        key = site.form(KEY)["key"]
        with gates.waking():
            own.remove(asked.caller, key, proof(), asked.now)
        return site.go(".show_passkeys", done="removed")


def _add_registration(blueprint: Blueprint, site: Site) -> None:
    own, gates = site.passkeys, site.runtime.gates

    @blueprint.post("/passkeys")
    def begin_passkey() -> AnyResponse:
        """Begin one, behind the factors that the caller has."""
        asked = site.asked(Action(name=BEGIN))
        try:
            name = site.form(NAME)["name"]
        except InvalidParams:
            return _page(site, asked.caller, error=_nameless(site), field="name")
        secret = browser() or site.runtime.entropy.token_urlsafe(32)
        try:
            with gates.waking():
                own.begin(asked.caller, name, proof(), asked.now, browser=secret)
        except EnrolmentInvalid:
            error = site.translate("You have too many passkeys. Remove one first.")
            return _page(site, asked.caller, error=error)
        response = site.go(".new_passkey")
        set_cookie(response, site.runtime.settings, COOKIE, secret)
        return response

    @blueprint.get("/passkeys/new")
    def new_passkey() -> Response:
        """Have the browser make the one that this sign-in has begun."""
        return _new_page(site, site.caller())

    @blueprint.post("/passkeys/new")
    def confirm_passkey() -> AnyResponse:
        """Add it by what the browser answers."""
        asked = site.asked(Action(name=CONFIRM))
        try:
            answer = site.form(ANSWER)["code"]
            with gates.waking():
                own.confirm(asked.caller, answer, asked.now, browser=browser())
        except (EnrolmentInvalid, InvalidParams):
            error = site.translate("The passkey was not accepted. Try again.")
            return _new_page(site, asked.caller, error=error)
        return site.go(".show_passkeys", done="added")


def _page(site: Site, caller: Caller, *, error: str = "", field: str = "") -> Response:
    done = DONE.get(request.args.get("done", ""), "")
    if done == DONE["added"] and site.ends_others:
        done = ENDED
    return site.page(
        "passkeys",
        status=400 if error else 200,
        passkeys=site.passkeys.owned(caller.account.id),
        name=request.form.get("name", "") if field == "name" else "",
        error=error,
        field=field,
        done=site.translate(done) if done else "",
    )


def _new_page(site: Site, caller: Caller, *, error: str = "") -> Response:
    now = int(site.runtime.clock())
    new = site.passkeys.begun(caller, now, browser=browser())
    return site.page("passkey_new", status=400 if error else 200, new=new, error=error)


def _nameless(site: Site) -> str:
    return site.translate("Type a name of up to 100 characters, such as the device it is on.")


def _lines(site: Site, caller: Caller, status: FactorStatus) -> Iterable[Factor]:
    owned, t = site.passkeys.owned(caller.account.id), site.translate
    locked = "verify:passkey" in status.locked
    for one in owned:
        yield Factor(
            label=t("Passkey %(name)s", name=one.name),
            method="passkey",
            since=one.created_at,
            used=one.used_at,
            proves=not locked and counts(one.counts_from, caller),
            locked=locked,
            links=(Link(label=t("Rename, remove or add"), endpoint=".show_passkeys"),),
        )
    if not owned:
        link = Link(label=t("Set up"), endpoint=".show_passkeys")
        yield Factor(label=t("Passkeys"), links=(link,))
