"""The blueprint: views that are a few lines each, from gates to a use case to the envelope."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from e2ereset.factors.routes import send_email_code, unlock_factor
from e2ereset.reset.routes import reset_e2e_key
from e2ereset.vault.routes import fetch_my_keys, set_keys

from . import bodies, cross_site, envelope, gates, strays
from .rates import add_rate_headers


class _Routes(Blueprint):
    """Routes that do not answer OPTIONS with a page of Flask's own."""

    def add_url_rule(self, rule: str, *args: Any, **options: Any) -> None:
        """Add a rule that takes the methods that it names."""
        super().add_url_rule(rule, *args, **{"provide_automatic_options": False} | options)


def make_blueprint(name: str, *, url_prefix: str | None = None) -> Blueprint:
    """An empty blueprint: bodies are read first, errors are answered in the envelope."""
    blueprint = _Routes(name, __name__, url_prefix=url_prefix)
    envelope.handle_errors(blueprint)
    blueprint.record_once(strays.note_blueprint)
    blueprint.record_once(bodies.read_first)
    blueprint.before_request(cross_site.refuse_cross_site_changes)
    for hook in (add_rate_headers, bodies.close_after_fault, cross_site.allow_origin):
        blueprint.after_request(hook)
    return blueprint


def make_routes(name: str, url_prefix: str) -> Blueprint:
    """The library's own routes, Rocket.Chat's by name."""
    blueprint = make_blueprint(name, url_prefix=url_prefix)
    blueprint.post("/users.resetE2EKey")(reset_e2e_key)
    blueprint.post("/users.2fa.sendEmailCode")(send_email_code)
    blueprint.post("/users.unlockFactor")(unlock_factor)
    blueprint.post("/e2e.setUserPublicAndPrivateKeys")(set_keys)
    blueprint.get("/e2e.fetchMyKeys")(fetch_my_keys)
    return blueprint


__all__ = ["bodies", "envelope", "gates", "make_blueprint", "make_routes"]
