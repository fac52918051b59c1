"""The signals that a host can receive. The app sends a signal after the commit of what it reports.

So a receiver cannot undo that. A receiver that fails is only logged.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from blinker import NamedSignal, Namespace
from sqlalchemy.orm import Session

from .store.transactions import after_commit

_signals = Namespace()

key_reset = _signals.signal("key-reset")
"""An E2E key was reset. With `receipt`."""
factor_enabled = _signals.signal("factor-enabled")
"""A second factor of an account was enabled. With `account` and `method`."""
factor_disabled = _signals.signal("factor-disabled")
"""A second factor of an account was disabled. With `account` and `method`."""
factor_used = _signals.signal("factor-used")
"""A second factor proved an action. With `account`, `action`, `target` and `method`."""
refused = _signals.signal("refused")
"""A signed-in caller was refused. With `account`, `action`, `target`, `method` and `code`.

The first answer to an action that needs a code, `totp-required`, is a refusal too.
"""
budget_spent = _signals.signal("budget-spent")
"""The tries of an account at a method are spent, or locked. With `account`, `method`, `locked`.

It is sent once an hour at most, with the mail to the owner.
"""

log = logging.getLogger(__name__)


class Announcer:
    """Sends the signals of one app; without an app it sends none."""

    def __init__(self, app: Any = None) -> None:
        self._app = app

    def announce(self, signal: NamedSignal, **facts: Any) -> None:
        """Send it now. The app runs a receiver that is a coroutine function."""
        if self._app is None:
            return
        for receiver in signal.receivers_for(self._app):
            try:
                run: Callable[..., Any] = self._app.ensure_sync(receiver)
                run(self._app, **facts)
            except Exception:
                log.exception("A receiver of %s failed; what it was told stands.", signal.name)

    def later(self, session: Session, signal: NamedSignal, **facts: Any) -> None:
        """Send it once the session's transaction is committed."""
        after_commit(session, partial(self.announce, signal, **facts))
