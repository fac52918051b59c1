"""The kit for routes, ours and yours: the gates, the schemas of bodies, the envelope of answers.

`get_e2ereset().gates` are the gates of an app. How to add routes of your own with them is in
`docs/design.md`, "Adding a subject".
"""

from . import bodies, envelope
from .cross_site import CrossSite
from .gates import Gates, proof
from .origin import caller_address, origin
from .rates import Rates
from .schemas import Body, Flag, Text

__all__ = [
    "Body",
    "CrossSite",
    "Flag",
    "Gates",
    "Rates",
    "Text",
    "bodies",
    "caller_address",
    "envelope",
    "origin",
    "proof",
]
