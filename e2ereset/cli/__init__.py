"""The library's commands, under `flask e2ereset` in any host's command line.

A command prints one clear line and exits with 1 when it cannot do its work; no traceback.
"""

from flask import Flask

from .base import Commands

HELP = "Administers e2ereset: permissions, factors, queued mails, the audit log, secret keys."


def register_commands(app: Flask) -> None:
    """Put our commands under `flask e2ereset` of this app."""
    app.cli.add_command(Commands("e2ereset", found_in="e2ereset.cli.groups:GROUPS", help=HELP))
