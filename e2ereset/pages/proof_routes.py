"""The page on which people prove who they are, for the action that their browser asked for."""

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

from flask import Blueprint, Response, request
from marshmallow.validate import Length
from werkzeug.wrappers import Response as AnyResponse

from e2ereset.errors import FactorRequired, Refusal, TooManyAttempts, TooManyRequests
from e2ereset.http import Flag, Text, envelope
from e2ereset.http.origin import origin
from e2ereset.kept.service import Kept
from e2ereset.languages.words import N_
from e2ereset.records import Caller, Proof
from e2ereset.typed import plain_code

from .flow import OVER, PROVABLE, Repeated, address_of, browser, told_of
from .site import Form, Site
from .tries import wrong_code

LONGEST = Length(max=1000, error="must NOT have more than {max} characters")

LONGEST_CODE = Length(max=8192, error="must NOT have more than {max} characters")
"""A passkey's answer is the longest."""


class ProofForm(Form):
    """A code of a method; without a code, a wish for the method. `again`: mail another code."""

    code = Text(load_default="", validate=LONGEST_CODE)
    method = Text(load_default=None, validate=LONGEST)
    again = Flag(load_default=False)


PROOF = ProofForm()
NOT_MAILED = N_(
    "No code was mailed: one was a moment ago, or there were too many mails or wrong tries."
)
TOO_MANY = envelope.status_of(TooManyRequests)


def add_routes(blueprint: Blueprint, site: Site) -> None:
    """Put the page on the blueprint."""
    kept = site.flow.kept

    @blueprint.get("/proof/<key>")
    def prove(key: str) -> AnyResponse:
        """Show what is asked for, and ask for the code."""
        site.runtime.gates.rate_limit("read")
        caller = site.runtime.gates.known()
        found = kept.find(key, browser(), caller)
        return _page(site, key, found, caller) if found else site.page("over", status=410)

    @blueprint.post("/proof/<key>")
    def check(key: str) -> AnyResponse:
        """Repeat the kept request with this proof."""
        form, caller = site.form(PROOF), site.runtime.gates.known()
        site.runtime.gates.rate_limit()
        found = kept.find(key, browser(), caller) if form["again"] else None
        if found and _is_mailed(found.told):
            _mail_again(site, caller, found.told)
            return site.go(".prove", key=key, sent=1)
        waiting = kept.take(key, browser(), caller)
        if waiting is None:
            return site.page("over", status=410)
        return _repeat(site, key, waiting, caller, proof=_proof(form, waiting))


def _is_mailed(told: Mapping[str, Any]) -> bool:
    """Whether a code was mailed that can still be typed."""
    return "codeExpires" in told


def _mail_again(site: Site, caller: Caller | None, told: Mapping[str, Any]) -> None:
    """Have another code mailed, at a sign-in to the account that waits for one."""
    address, agent = origin()
    name, account_id = str(told.get("emailOrUsername", "")), caller.account.id if caller else ""
    now = int(site.runtime.clock())
    site.runtime.codes.ask(name, now, address=address, agent=agent, signed_in=account_id)
    site.runtime.wake()


def _repeat(
    site: Site, key: str, waiting: Kept, caller: Caller | None, *, proof: Proof
) -> AnyResponse:
    if waiting.method in ("GET", "HEAD") and caller:
        done = _note_proven(site, waiting, caller, proof)
    else:
        done = site.flow.repeat(waiting, proof)
    if done.refusal is None:
        status = done.response.status_code
        if status >= 500 or status == TOO_MANY:  # it can be sent again when that is over
            site.flow.kept.put_back(key, waiting, browser(), caller)
        return done.response
    told = told_of(done.refusal, int(site.runtime.clock()))
    told = told if "method" in told else {**waiting.told, **told}
    # What the form does may have changed since: then it is shown, and proven anew.
    again = replace(waiting, told=told, action=done.refusal.action or waiting.action)
    site.flow.kept.put_back(key, again, browser(), caller)
    status = 200 if isinstance(done.refusal, FactorRequired) else 400
    return _page(site, key, again, caller, refusal=done.refusal, status=status)


def _note_proven(site: Site, waiting: Kept, caller: Caller, proof: Proof) -> Repeated:
    """Check the proof here, as a page must be shown at its own address."""
    runtime, keep = site.runtime, site.flow.kept.note_proven
    asked = replace(runtime.gates.action_request(waiting.action), proof=proof)
    try:
        with runtime.gates.waking():
            runtime.stepup.run(
                asked, lambda passed: keep(passed.session, asked.action, browser(), caller)
            )
    except PROVABLE as refusal:
        return Repeated(refusal=refusal)
    address = address_of(waiting.path, waiting.query)
    return Repeated(response=Response(status=303, headers={"Location": address}))


def _proof(form: dict[str, Any], waiting: Kept) -> Proof:
    method = form["method"] or waiting.told.get("method")
    code = form["code"]
    plain = plain_code(code) or code or None
    given = Proof(code=plain, method=method, typed="", shown=waiting.action)
    if method != "password" or not code:
        return given
    typed = request.form["code"]  # spaces around a password belong to it
    digest = sha256(typed.encode("utf-8", "surrogatepass")).hexdigest()
    return replace(given, code=digest, typed=typed)


def _page(
    site: Site,
    key: str,
    kept: Kept,
    caller: Caller | None,
    *,
    refusal: Refusal | None = None,
    status: int = 200,
) -> Response:
    told, method = kept.told, kept.told.get("method", "")
    mailed = _is_mailed(told)
    own_reset = f"{request.path.rpartition('/proof/')[0]}/reset"
    return site.page(
        "proof",
        status=status,
        key=key,
        back=kept.back,
        step=3 if kept.path == own_reset else 0,
        phrase=site.phrase(kept.action),
        username=caller.account.username if caller else "",
        method=method,
        others=[m for m in told.get("availableMethods", ()) if m != method],
        options=told.get("publicKey"),
        mailed=mailed,
        error=_error(site, told, refusal or _spent(told, int(site.runtime.clock()))),
        field="" if method == "passkey" or (method == "email" and not mailed) else "code",
        sent="sent" in request.args or "again" in request.form,
    )


def _error(site: Site, told: Mapping[str, Any], refusal: Refusal | None) -> str:
    if refusal is None or isinstance(refusal, FactorRequired):
        return ""
    wait: int | None = getattr(refusal, "retry_after", None)
    typed = request.method == "POST" and request.form.get("code")
    if typed or wait is None or told.get("method") != "email" or _is_mailed(told):
        return wrong_code(site, refusal)
    return " ".join((site.translate(NOT_MAILED), site.words().wait(wait)))


def _spent(told: Mapping[str, Any], now: int) -> Refusal | None:
    """The refusal for want of tries with which a browser was led here, while it holds."""
    over = told.get(OVER, now)
    if over is None:
        return TooManyAttempts(None)
    return TooManyAttempts(over - now) if over > now else None
