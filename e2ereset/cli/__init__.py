"""The library's commands, under `flask e2ereset` in any host's command line.

A command prints one clear line and exits with 1 when it cannot do its work; no traceback.
"""

from flask import Flask

from .audit_log import audit_log
from .base import Commands
from .doctor import doctor
from .factor import factor
from .keys import keys
from .limits import limits
from .outbox import outbox
from .permission import permission
from .purge import purge

GROUPS = (permission, factor, outbox, audit_log, doctor, limits, keys, purge)
HELP = "Administers e2ereset: permissions, factors, queued mails, the audit log, secret keys."


def register_commands(app: Flask) -> None:
    """Put our commands under `flask e2ereset` of this app."""
    app.cli.add_command(Commands("e2ereset", commands=GROUPS, help=HELP))
