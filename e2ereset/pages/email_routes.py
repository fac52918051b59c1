"""Codes by e-mail: on and off."""

from collections.abc import Iterable
from dataclasses import replace

from flask import Blueprint
from werkzeug.wrappers import Response as AnyResponse

from e2ereset.factors.enrolment import FactorStatus
from e2ereset.factors.own import DISABLE_EMAIL, ENABLE_EMAIL
from e2ereset.http import proof
from e2ereset.languages.words import N_
from e2ereset.records import Action, Caller

from .overview import Factor, Link, line
from .site import Site

ON, OFF = "email-on", "email-off"


def add_routes(blueprint: Blueprint, site: Site) -> None:
    """Put the routes on the blueprint, and the line on My security, where it is a method."""
    if "email" not in site.methods:
        return
    site.overview.factors.append(lambda caller, status: _lines(site, caller, status))
    ended = N_("Codes by e-mail are on. Your other sign-ins have ended.")
    site.overview.done[ON] = ended if site.ends_others else N_("Codes by e-mail are on.")
    site.overview.done[OFF] = N_("Codes by e-mail are off.")

    def switch(act: str, enabled: bool) -> AnyResponse:
        """Switch codes by e-mail, behind the factors that the caller has."""
        asked, factors = site.asked(Action(name=act)), site.runtime.own_factors
        with site.runtime.gates.waking():
            factors.set_email(asked.caller, enabled, proof(), asked.now)
        return site.go(".overview", done=ON if enabled else OFF)

    @blueprint.post("/email/on")
    def enable_email() -> AnyResponse:
        """Enable mailed codes, behind the factors that the caller has."""
        return switch(ENABLE_EMAIL, True)

    @blueprint.post("/email/off")
    def disable_email() -> AnyResponse:
        """Disable mailed codes, behind a factor."""
        return switch(DISABLE_EMAIL, False)


def _lines(site: Site, caller: Caller, status: FactorStatus) -> Iterable[Factor]:
    t, emails = site.translate, caller.account.emails
    found = line("email", t("Codes by e-mail"), caller, status)
    if not emails:
        note = t(
            "Your account has no verified e-mail address to send them to. Verify one first, or ask"
            " your administrator."
        )
    else:
        note = t("They go to %(address)s.", address=", ".join(emails))
    links: tuple[Link, ...] = ()
    if status.email:
        links = (Link(label=t("Switch off"), endpoint=".disable_email", posts=True, danger=True),)
    elif emails:
        links = (Link(label=t("Switch on"), endpoint=".enable_email", posts=True),)
    yield replace(found, notes=(note,), links=links)
