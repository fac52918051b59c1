"""All that one app has of e2ereset, and how its parts are put together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from flask import Flask, current_app
from flask_limiter import Limiter
from limits import RateLimitItem

from .audit import AuditTrail, Sealer
from .background import Background
from .crypto import KeyRing
from .errors import SettingsError
from .factors.enrolment import Factors
from .factors.resend import Codes
from .factors.stepup import StepUp
from .factors.unlocks import Unlocks
from .jobs import Queue, Worker
from .mail import Mailer
from .permissions import Permissions
from .ports import Accounts
from .records import Caller
from .reset.service import Resets
from .settings import Settings
from .store.transactions import Transactions
from .vault.service import Vault


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Runtime:
    """The services of one app; `get_e2ereset()` finds it."""

    settings: Settings
    clock: Callable[[], float]
    entropy: Any
    accounts: Accounts
    identify: Callable[[], Caller | None]
    limiter: Limiter
    rate: RateLimitItem
    transactions: Transactions
    keyring: KeyRing
    audit: AuditTrail
    jobs: Queue
    permissions: Permissions
    stepup: StepUp
    resets: Resets
    vault: Vault
    factors: Factors
    unlocks: Unlocks
    codes: Codes
    sealer: Sealer
    worker: Worker
    mailer: Mailer
    background: tuple[Background, ...]

    def start(self) -> None:
        """Start the mail and sealing threads of this process, where the settings want them.

        Safe to call again, and after a `stop`; a forked worker starts its own.
        """
        if self.settings.delivery == "thread":
            self.worker.ending.clear()
            for thread in self.background:
                thread.start()

    def ensure_running(self) -> None:
        """Start those that were not started, as each request does; what was stopped stays so."""
        if self.settings.delivery == "thread":
            for thread in self.background:
                thread.ensure_running()

    def wake(self) -> None:
        """Deliver what has just been committed, now."""
        if self.settings.delivery == "thread":
            for thread in self.background:
                thread.wake()

    def stop(self, timeout: float | None = None) -> None:
        """End the threads after the mail and the batch in hand; wait `timeout` seconds for each.

        No request starts them again, `start` alone does.
        """
        self.worker.ending.set()
        for thread in self.background:
            thread.end()
        for thread in self.background:
            thread.stop(timeout)


def get_e2ereset(app: Flask | None = None) -> Runtime:
    """The services of this app, or of the current one. Raises SettingsError when it has none."""
    runtime = (app or current_app).extensions.get("e2ereset")
    if runtime is None:
        raise SettingsError("This app has no e2ereset. Call E2EReset(app, ...) first.")
    return cast(Runtime, runtime)
