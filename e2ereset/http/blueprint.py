"""Blueprints whose bodies are read first and whose errors are answered in the envelope."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from . import bodies, cross_site, envelope, strays
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
