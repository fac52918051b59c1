"""What routes are made of, ours and yours: gates before a view, schemas of bodies, the envelope.

`get_e2ereset().gates` are the gates of an app. A subject of yours adds its routes with them: see
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
