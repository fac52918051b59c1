"""What a route tells about itself, beside its view: for the OpenAPI document and its readers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from marshmallow import Schema

from e2ereset.errors import Refusal

from .schemas import Answer, Body, Query

View = TypeVar("View", bound=Callable[..., Any])
ATTRIBUTE = "e2ereset_described"
SUCCESS = Answer()


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """Describes the view below it. The docstring of the view is the text for readers.

    What the gates do is known: 401 (unless `signed_in` is False), 413, 414, 429, 503, and the
    faults of `body` and `query`, which are the schemas that the view gives to the gates.
    """

    body: Body | None = None
    query: Query | None = None
    answer: Schema = SUCCESS
    """The body of its success; by default `success` alone."""
    permissions: tuple[str, ...] = ()
    """Those that the view gives to `permit` or `permit_any`."""
    step_up: bool = False
    """Whether it takes a second factor, with the refusals of one."""
    refuses: tuple[type[Refusal], ...] = ()
    """The refusals of its own."""
    signed_in: bool = True
    """Whether it needs a sign-in."""
    failures: Mapping[int, Schema] = field(default_factory=dict)
    """The bodies of failures that do not have the usual form, by status."""
    links: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By operation: which values of the answer are which of its parameters."""

    def __call__(self, view: View) -> View:
        """Keep the description on the view."""
        setattr(view, ATTRIBUTE, self)
        return view


def description_of(view: Callable[..., Any]) -> Described | None:
    """How this view is described; None when it is not."""
    found: Described | None = getattr(view, ATTRIBUTE, None)
    return found
