"""The library's commands. Only a command line imports them, so that no worker does."""

from .audit_log import audit_log
from .doctor import doctor
from .factor import factor
from .hold import hold
from .imports import arrivals
from .keys import keys
from .limits import limits
from .outbox import outbox
from .permission import permission
from .purge import purge

GROUPS = (permission, factor, hold, arrivals, outbox, audit_log, doctor, limits, keys, purge)
