"""The kit for routes, ours and yours: the gates, the schemas of bodies, the envelope of answers.

`get_e2ereset().gates` are the gates of an app. How to add routes of your own with them is in
`docs/design.md`, "Adding a subject".
"""

from . import bodies, envelope
from .cross_site import CrossSite
from .described import Described
from .gates import Gates, proof
from .origin import caller_address, origin
from .pagination import Page, PageAnswer, PageQuery, read_page
from .rates import Rates
from .schemas import Answer, Body, Entries, Flag, Items, Query, Text, Whole, filled, one_of

__all__ = [
    "Answer",
    "Body",
    "CrossSite",
    "Described",
    "Entries",
    "Flag",
    "Gates",
    "Items",
    "Page",
    "PageAnswer",
    "PageQuery",
    "Query",
    "Rates",
    "Text",
    "Whole",
    "bodies",
    "caller_address",
    "envelope",
    "filled",
    "one_of",
    "origin",
    "proof",
    "read_page",
]
