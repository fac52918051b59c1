"""`two_factor_required` puts the second factor before a host's own view."""

import re
from collections.abc import Callable
from functools import wraps
from inspect import isfunction
from typing import Any, ParamSpec, TypeVar
from weakref import WeakSet

from flask import Flask, Response, after_this_request, current_app
from flask.views import View
from werkzeug.exceptions import HTTPException

from .errors import HostError, InvalidParams, Refusal
from .http import bodies, envelope
from .http.rates import add_rate_headers
from .http.schemas import UNFIT
from .records import Action, kind_of
from .runtime import get_e2ereset

P = ParamSpec("P")
T = TypeVar("T")

BARE: WeakSet[Callable[..., Any]] = WeakSet()
"""The views that were guarded, as they are without their gate."""
NAME = re.compile(r"[\w.@+-]{1,64}")  # a mail quotes only such targets


class Answered(HTTPException):
    """Raised in place of a guarded view. It has the whole answer, which Flask sends as it is.

    Flask-RESTX takes the body from `data`.
    """

    def __init__(self, response: Response) -> None:
        super().__init__(response=response)
        self.data = response.get_json(silent=True)


def two_factor_required(
    action: str,
    *,
    target: Callable[..., str] | None = None,
    phrase: str | None = None,
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Run the view only after the signed-in caller has proved a second factor.

    The headers, refusals and budgets are those of a reset. A mailed code is bound to `action` and
    to the text that `target` makes of the view's arguments (without the `self` of a method).
    `phrase` completes "to ..." in the mail. The code is used up before the view runs, even if the
    view then fails. The decorated view returns what the view returns. A refusal is raised as an
    HTTP error that carries its answer.
    """
    if not isinstance(action, str) or not action:
        raise HostError('Name the action: @two_factor_required("delete-project").')

    def decorate(view: Callable[P, T]) -> Callable[P, T]:
        """Guard this view."""

        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
            """Check the proof, then run the view."""
            run = current_app.ensure_sync(view)  # first, as it raises if the view cannot run
            bound = target(*_without_self(view, args), **kwargs) if target else ""
            if not isinstance(bound, str):
                raise HostError(f"target of {action!r}: it gave {kind_of(bound)}, not a text.")
            named = bound if NAME.fullmatch(bound) else ""  # no sentence from a URL
            words = phrase or f"{action.replace('-', ' ')} {named}".strip()
            _prove(Action(name=action, target=bound, phrase=words))
            done: T = run(*args, **kwargs)
            return done

        if isfunction(view):
            BARE.add(view)
        return guarded

    return decorate


def passed_by(app: Flask) -> list[str]:
    """The endpoints of views that are served without their gate, as it stands above the route."""
    return [endpoint for endpoint, view in app.view_functions.items() if view in BARE]


def _prove(action: Action) -> None:
    """Raise Answered unless the proof is right."""
    after_this_request(add_rate_headers)
    runtime = get_e2ereset()
    gates = runtime.gates
    site = current_app.extensions.get("e2ereset_pages")
    if site:
        site.note_if_page()
    try:
        gates.cross_site.refuse()
        bodies.settle()
        asked = gates.action_request(action)
        if UNFIT.search(action.target):
            raise InvalidParams("the target must be text without NUL or lone surrogates")
        if site and site.flow.take_proven(action, asked.caller):
            return
        with gates.recorded(asked):
            gates.rate_limit()
        with gates.waking():
            runtime.stepup.run(asked, lambda _passed: None)
    except Refusal as refusal:
        page = site.guard_refused(refusal) if site else None
        raise Answered(page or envelope.failure(refusal)) from refusal
    except envelope.FAULTS as fault:
        page = site.guard_faulty(fault) if site else None
        raise Answered(page or envelope.faulty(fault)) from None


def _without_self(view: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arguments of a view, without the `self` of a method."""
    in_a_class = "." in getattr(view, "__qualname__", "").rpartition("<locals>.")[2]
    is_method = args and (in_a_class or isinstance(args[0], View))
    return args[1:] if is_method else args
