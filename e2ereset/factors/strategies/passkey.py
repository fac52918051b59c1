"""Passkeys: a signature over a digest of who does what to whom, by which plan, and a nonce.

For clients that know only codes a page shows a code instead, after such a signature; it lives 60
seconds.
"""

from sqlalchemy.orm import Session

from e2ereset.factors import passkeys as sql
from e2ereset.factors.webauthn import RelyingParty, Signed
from e2ereset.parts import Parts
from e2ereset.records import Account, Action, Attempt, Challenge
from e2ereset.store.transactions import run
from e2ereset.typed import is_digits, plain_code

from .base import Strategy, counting

CHALLENGE_SECONDS = 300
CODE_TRIES = 5


class PasskeyStrategy(Strategy):
    """The code is what the browser answers, as JSON, or the code that a page has shown."""

    name = "passkey"
    on_page = True

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.party = RelyingParty(parts.settings)

    def usable(self, attempt: Attempt) -> bool:
        """Whether the account has a passkey that counts for this sign-in."""
        return bool(self._credentials(attempt))

    def pending(self, attempt: Attempt) -> Challenge | None:
        """What a passkey may sign now for this action, target and plan."""
        nonce = run(
            attempt.session, sql.NONCE, sql.live_for(attempt.account, attempt.action, attempt.now)
        ).scalar()
        return None if nonce is None else self._challenge(attempt, nonce)

    def challenge(self, attempt: Attempt) -> Challenge:
        """Make a nonce, which replaces the one before."""
        account, action, now = attempt.account, attempt.action, attempt.now
        return self._challenge(attempt, self.start(attempt.session, account, action, now))

    def another(self, attempt: Attempt) -> None:
        """Nothing is sent, so strangers can ask for nothing."""

    def start(self, session: Session, account: Account, action: Action, now: int) -> str:
        """Store a nonce for this action; the nonce."""
        nonce: str = self.parts.entropy.token_urlsafe(32)
        row = {
            "account_id": account.id,
            "action": action.name,
            "target": action.target,
            "plan": action.plan,
            "phrase": action.phrase,
            "nonce": nonce,
            "expires_at": now + CHALLENGE_SECONDS,
            "tries": 0,
        }
        sql.START(session, {**row, "code_digest": None, "code_expires_at": None})
        return nonce

    def verify(self, attempt: Attempt, code: str) -> bool:
        """Whether a passkey of the account signed for this, or the code is one that was shown."""
        digits = plain_code(code)
        if is_digits(digits, sql.CODE_DIGITS):
            return self._verify_code(attempt, digits)
        live = sql.live_for(attempt.account, attempt.action, attempt.now)
        nonce = run(attempt.session, sql.NONCE, live).scalar()
        if nonce is None:
            return False
        known = [text for text, _ in self._credentials(attempt)]
        signed = self.party.check(
            code, sql.digest_of(attempt.account, attempt.action, nonce), known
        )
        if signed is None:
            return False
        used = {**live, "used": nonce}
        return run(attempt.session, sql.BURN, used).rowcount == 1 and self._count(attempt, signed)

    def _count(self, attempt: Attempt, signed: Signed) -> bool:
        """Whether the counter has grown. If not, the passkey was copied, and its owner is told."""
        account, now = attempt.account, attempt.now
        counted = {"account": account.id, "key": signed.key, "signed": signed.counter, "now": now}
        if run(attempt.session, sql.COUNT, counted).rowcount == 1:
            return True
        mail = self.parts.mail_owner
        mail(attempt.session, "passkey-copied", account, now=now, place=attempt)
        return False

    def _verify_code(self, attempt: Attempt, digits: str) -> bool:
        """Whether it is the live code of this action, target and plan. The try counts first."""
        live = sql.live_for(attempt.account, attempt.action, attempt.now)
        if not run(attempt.session, sql.COUNT_TRY, {**live, "most": CODE_TRIES}).rowcount:
            return False
        bound = sql.code_of(attempt.account, attempt.action, digits)
        burn = {**live, "digests": self.parts.keyring.digests(*bound)}
        return run(attempt.session, sql.BURN_CODE, burn).rowcount == 1

    def _credentials(self, attempt: Attempt) -> list[tuple[str, str]]:
        mine = {"account": attempt.account.id, "counting": counting(attempt)}
        return [tuple(row) for row in sql.CREDENTIALS(attempt.session, mine)]

    def _challenge(self, attempt: Attempt, nonce: str) -> Challenge:
        challenge = sql.digest_of(attempt.account, attempt.action, nonce)
        known = self._credentials(attempt)
        options = self.party.request(challenge, known, CHALLENGE_SECONDS)
        page = f"{self.parts.settings.pages_url}/code"
        name = attempt.account.username
        return Challenge(details={"publicKey": options, "codePage": page, "emailOrUsername": name})
