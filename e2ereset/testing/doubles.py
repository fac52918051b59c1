"""A clock, a mail box, accounts and their authenticators, for tests."""

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pyotp
from flask import Flask
from sqlalchemy.orm import Session

from e2ereset.factors.strategies.totp import STEP_SECONDS
from e2ereset.mail import Message
from e2ereset.records import Account
from e2ereset.runtime import get_e2ereset

START = 1_800_000_000
CODE = re.compile(r"^ *(\d{3,5})-(\d{3,5})$", re.MULTILINE)  # on a line of its own


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
        """The account of this username, as `name_key` compares names; None when there is none."""
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
    """What an app has mailed. It needs `TESTING`, or `MAIL_BACKEND = "locmem"`.

    With Flask-Mail, or a `send` of the host's own, it holds what we have mailed since it was made.
    """

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._seen = 0
        self._sent: list[Mail] = []
        mailer = get_e2ereset(app).mailer
        way = getattr(mailer.send, "name", "send")
        self._by_mailman = way == "flask-mailman"
        if self._by_mailman:
            backend = app.extensions["mailman"].backend
            assert "locmem" in str(backend), f'MAIL_BACKEND is {backend!r}; set it to "locmem"'
            return
        suppressed = way == "send" or app.extensions["mail"].suppress
        assert suppressed, "MAIL_SUPPRESS_SEND is off; set it to True"
        mailer.send = partial(self._record, mailer.send)

    def deliver(self) -> list[Mail]:
        """Deliver what is due in the outbox now; the mails since the last `deliver`."""
        mails = self._all()
        new, self._seen = mails[self._seen :], len(mails)
        return new

    def messages_to(self, address: str) -> list[Mail]:
        """All mails to this address, oldest first, with those that are due now."""
        return [mail for mail in self._all() if mail.to == address]

    def code_for(self, address: str) -> str:
        """The digits of the newest code that was mailed to this address.

        Raises AssertionError when there is none.
        """
        codes = [code for mail in self.messages_to(address) for code in CODE.findall(mail.text)]
        assert codes, f"no code was mailed to {address}"
        return "".join(codes[-1])

    def clear(self) -> None:
        """Deliver what is due, and forget it with all that came before."""
        self._all()
        if self._by_mailman:
            self._app.extensions["mailman"].outbox = []
        self._sent.clear()
        self._seen = 0

    def _all(self) -> list[Mail]:
        get_e2ereset(self._app).worker.run_due()
        if not self._by_mailman:
            return list(self._sent)
        return [_mail(sent) for sent in getattr(self._app.extensions["mailman"], "outbox", [])]

    def _record(self, send: Callable[[Message], None], message: Message) -> None:
        send(message)
        self._sent.append(Mail(message.recipient, message.subject, message.text, message.html))


@dataclass(slots=True)
class TotpDevice:
    """An authenticator app. `window`: how many steps beside the present one the app takes."""

    secret: str = field(repr=False)
    clock: Callable[[], float]
    backup_codes: tuple[str, ...] = field(default=(), repr=False)
    window: int = 1
    last_step: int = -1

    def code(self, drift: int = 0) -> str:
        """The code for now, or `drift` seconds from now."""
        return self._at((int(self.clock()) + drift) // STEP_SECONDS)

    def next_code(self) -> str:
        """A code that was not given before and is good now, since a step passes once only.

        Raises AssertionError when all of now are given: let the clock tick.
        """
        present = int(self.clock()) // STEP_SECONDS
        step = max(present, self.last_step + 1)
        assert step <= present + self.window, "all codes of now are given; let the clock tick"
        return self._at(step)

    def _at(self, step: int) -> str:
        # One that is too early to be good now does not count as given.
        if step <= int(self.clock()) // STEP_SECONDS + self.window:
            self.last_step = max(self.last_step, step)
        return str(pyotp.TOTP(self.secret).generate_otp(step))


def enrol_totp(app: Flask, account: Account) -> TotpDevice:
    """Enable TOTP for the account, and hold its authenticator."""
    runtime = get_e2ereset(app)
    enrolment = runtime.factors.enrol_totp(account)
    window = runtime.settings.totp_window
    return TotpDevice(enrolment.secret, runtime.clock, enrolment.backup_codes, window)


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
