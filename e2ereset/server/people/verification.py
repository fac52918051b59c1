"""Verifies addresses by a mailed link, whose page has a button: looking at it changes nothing.

The link has no row: it is a keyed digest of user, address, time, and of when the account was last
changed. So it ends with its day and with any change, its own use among them.
"""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from e2ereset import Caller, Refusal, Runtime
from e2ereset.records import ActionRequest, name_key

from .accounts import get_account
from .acts import Acting
from .administration import verify_address
from .models import User
from .service import BadPerson, UnknownPerson, addresses_of

SEND = "send-confirmation"
PURPOSE = "verify-email"
LIFE = 86400
"""How long a link is good, in seconds."""
PAGE = "/verify-email/"


class NoPublicAddress(Refusal):
    """The server does not know the address under which people reach it."""

    code = "error-email-send-failed"
    reason = "The server has no E2ERESET_SERVER_PUBLIC_URL to mail a link to"
    plain = "This server mails no links. Ask your administrator to verify your address."


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Mails links, and takes them back. `public_url` is that of the server, "" for none."""

    runtime: Runtime
    public_url: str

    def send(self, asked: ActionRequest, address: str) -> None:
        """Mail a link to this address of the caller, if it is not verified yet.

        The caller learns nothing about other addresses, and nothing is mailed where the budget of
        mails is spent. Raises NoPublicAddress.
        """
        if not self.public_url:
            raise NoPublicAddress()
        account, now = asked.caller.account, asked.now
        with self.runtime.transactions.begin() as session:
            own = [one for one, verified in addresses_of(session, account.id) if not verified]
            mailed = [one for one in own if name_key(one) == name_key(address)]
            windows = self.runtime.settings.send_windows
            charge = self.runtime.budgets.charge_in
            if not mailed or not charge(session, account.id, PURPOSE, windows=windows, now=now):
                return
            facts = {
                "username": account.username,
                "link": self._link(session, account.id, mailed[0], now + LIFE),
                "address": asked.caller.address,
                "agent": asked.caller.agent,
                "expires_at": now + LIFE,
            }
            jobs = self.runtime.jobs
            jobs.put(session, PURPOSE, facts, recipients=mailed, now=now, expires_at=now + LIFE)

    def verify(self, token: str, address: str, agent: str) -> bool:
        """Mark the address of this link as verified; False for a link that is not good any more.

        `address` and `agent` are where the button was pressed.
        """
        user_id, _, rest = token.partition(".")
        until, _, digest = rest.partition(".")
        now = int(self.runtime.clock())
        if not (until.isascii() and until.isdigit() and len(until) < 12 and int(until) > now):
            return False
        with self.runtime.transactions.read() as session:
            account = get_account(session, user_id)
            if account is None or not account.active:
                return False
            rows, last = addresses_of(session, user_id), _last_change(session, user_id)
        matches = self.runtime.keyring.matches
        for one, verified in rows:
            if not verified and matches(digest, PURPOSE, user_id, name_key(one), until, last):
                by = Caller(account=account, address=address, agent=agent)
                return self._verify(Acting(runtime=self.runtime, by=by), account.username, one)
        return False

    def _verify(self, acting: Acting, username: str, address: str) -> bool:
        try:
            return acting.on(username).run(verify_address, address, verified=True) is not None
        except (UnknownPerson, BadPerson):  # user or address is gone meanwhile
            return False

    def _link(self, session: Session, user_id: str, address: str, until: int) -> str:
        parts = (user_id, name_key(address), str(until), _last_change(session, user_id))
        digest = self.runtime.keyring.digest(PURPOSE, *parts)
        return f"{self.public_url}{PAGE}{user_id}.{until}.{digest}"


def _last_change(session: Session, user_id: str) -> str:
    """When the user was changed last, as text."""
    return str(session.get_one(User, user_id).updated_at)
