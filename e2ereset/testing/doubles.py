"""A clock, a mail box, accounts and their authenticators, for tests."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pyotp
from flask import Flask
from sqlalchemy.orm import Session

from e2ereset.records import Account
from e2ereset.runtime import get_e2ereset
from e2ereset.services.factors import Enrolment

START = 1_800_000_000
CODE = re.compile(r"\b(\d{3,5}-\d{3,5})\b")


class FakeClock:
    """A clock that stands still until `tick`: give it to `E2EReset(..., clock=clock)`."""

    def __init__(self, now: int = START) -> None:
        self.now = now

    def __call__(self) -> float:
        """Epoch seconds."""
        return float(self.now)

    def tick(self, seconds: int) -> None:
        """Let `seconds` pass; a negative number sets the clock back."""
        self.now += seconds


class MemoryAccounts:
    """The port `Accounts` over a list: hosts' users for tests that need no table of users.

    `passwords` maps an account's id to the SHA-256 hex of its password.
    """

    def __init__(self, *accounts: Account, passwords: dict[str, str] | None = None) -> None:
        self.accounts = {account.id: account for account in accounts}
        self.passwords = passwords or {}

    def get(self, _session: Session, account_id: str) -> Account | None:
        """The account of this id; None when there is none."""
        return self.accounts.get(account_id)

    def find(self, _session: Session, username: str) -> Account | None:
        """The account of this username, whatever its case; None when there is none."""
        return next((a for a in self.accounts.values() if a.is_named(username)), None)

    def check_password(self, _session: Session, account_id: str, digest: str) -> bool:
        """Whether this is the digest that was given for the account."""
        return secrets.compare_digest(self.passwords.get(account_id, ""), digest)


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that was delivered."""

    to: str
    subject: str
    text: str
    html: str


class Mailbox:
    """What an app with `TESTING` set, or `MAIL_BACKEND = "locmem"`, has mailed."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    def deliver(self) -> list[Mail]:
        """Deliver what is due in the outbox now; all mails so far, oldest first."""
        get_e2ereset(self._app).deliverer.deliver_due()
        return [_mail(sent) for sent in getattr(self._app.extensions["mailman"], "outbox", [])]

    def to(self, address: str) -> list[Mail]:
        """The mails to this address, oldest first."""
        return [mail for mail in self.deliver() if mail.to == address]

    def code_for(self, address: str) -> str:
        """The newest code that was mailed to this address, such as `123-456`.

        Raises AssertionError when there is none.
        """
        codes = [code for mail in self.to(address) for code in CODE.findall(mail.text)]
        assert codes, f"no code was mailed to {address}"
        return str(codes[-1])


@dataclass(slots=True)
class TotpDevice:
    """An authenticator app: makes codes, each of them a step later than the one before."""

    secret: str = field(repr=False)
    clock: Callable[[], float]
    backup_codes: tuple[str, ...] = field(default=(), repr=False)

    def code(self, drift: int = 0) -> str:
        """The code for now, or `drift` seconds from now."""
        return pyotp.TOTP(self.secret).at(int(self.clock()) + drift)


def enrol_totp(app: Flask, account: Account) -> TotpDevice:
    """Enable TOTP for the account, and hold its authenticator."""
    runtime = get_e2ereset(app)
    enrolment: Enrolment = runtime.factors.enrol_totp(account)
    return TotpDevice(enrolment.secret, runtime.clock, enrolment.backup_codes)


def enable_email(app: Flask, account: Account) -> None:
    """Enable codes by e-mail for the account, which needs a verified address to use them."""
    get_e2ereset(app).factors.set_email(account, True)


def make_account(username: str = "bob", **facts: Any) -> Account:
    """An account with an id, a verified address and the role `user`, where `facts` say no other."""
    facts = {
        "id": f"id-of-{username}",
        "emails": (f"{username}@example.org",),
        "roles": ("user",),
    } | facts
    return Account(username=username, **facts)


def _mail(sent: Any) -> Mail:
    html = next((content for content, kind in sent.alternatives if kind == "text/html"), "")
    return Mail(sent.to[0], sent.subject, sent.body, html)
