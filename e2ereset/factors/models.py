"""Second factors, their live codes, and the budgets of tries."""

from sqlalchemy import BigInteger, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from e2ereset.store.tables import Base, Epoch, Key


class Totp(Base):
    """A TOTP enrolment; both secrets are encrypted. `last_step` is the highest step ever accepted.

    `last_address`, and `last_sign_in` (a keyed digest), are the place of that use; None if unknown.
    `used_at` is when a code or a backup code of it last passed, None for never.
    Its owner enrolled it at `counts_from`, in a sign-in: older sign-ins are not proven by it. None:
    somebody else enrolled it, and it counts for all.
    """

    __tablename__ = "e2ereset_totp"
    account_id: Mapped[Key]
    secret: Mapped[str | None] = mapped_column(Text)
    pending_secret: Mapped[str | None] = mapped_column(Text)
    enabled_at: Mapped[int | None] = mapped_column(BigInteger)
    last_step: Mapped[Epoch]
    last_address: Mapped[str | None] = mapped_column(String(255))
    last_sign_in: Mapped[str | None] = mapped_column(String(512))
    counts_from: Mapped[int | None] = mapped_column(BigInteger)
    used_at: Mapped[int | None] = mapped_column(BigInteger)


class BackupCode(Base):
    """A keyed digest of an unused backup code."""

    __tablename__ = "e2ereset_backup_codes"
    account_id: Mapped[Key]
    digest: Mapped[str] = mapped_column(String(80), primary_key=True)


class EmailFactor(Base):
    """The accounts that have mailed codes enabled; the last two columns are those of `Totp`."""

    __tablename__ = "e2ereset_email_factors"
    account_id: Mapped[Key]
    enabled_at: Mapped[Epoch]
    counts_from: Mapped[int | None] = mapped_column(BigInteger)
    used_at: Mapped[int | None] = mapped_column(BigInteger)


class EmailChallenge(Base):
    """The live mailed code of an account for an action, bound to the action's target.

    `extra_digest` belongs to a second code, mailed when a stranger asked for one. Each code expires
    at its own time, and both are dead when the tries are spent.
    """

    __tablename__ = "e2ereset_email_challenges"
    account_id: Mapped[Key]
    action: Mapped[Key]
    target: Mapped[str] = mapped_column(Text)
    phrase: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(String(80))
    tries: Mapped[int]
    sent_at: Mapped[Epoch]
    expires_at: Mapped[Epoch]
    extra_digest: Mapped[str | None] = mapped_column(String(80))
    extra_expires_at: Mapped[int | None] = mapped_column(BigInteger)


class Passkey(Base):
    """A passkey. `id` is the SHA-256 of the id by which its authenticator knows it.

    `credential` is that id with the public key, `transports` how browsers reach it, both as text.
    `counter` is the highest that it signed; one that never counts signs 0. `counts_from` and
    `used_at` are those of `Totp`.
    """

    __tablename__ = "e2ereset_passkeys"
    id: Mapped[Key]
    account_id: Mapped[str] = mapped_column(String(255), index=True)
    name: Mapped[str] = mapped_column(String(255))
    credential: Mapped[str] = mapped_column(Text)
    transports: Mapped[str] = mapped_column(String(255))
    counter: Mapped[Epoch]
    created_at: Mapped[Epoch]
    counts_from: Mapped[int | None] = mapped_column(BigInteger)
    used_at: Mapped[int | None] = mapped_column(BigInteger)


class PasskeyChallenge(Base):
    """What a passkey of an account may sign for an action, once: see `strategies.passkey`.

    `nonce` is None when it was used. `code_digest` belongs to the code that a page has shown
    instead, which has `tries`.
    """

    __tablename__ = "e2ereset_passkey_challenges"
    account_id: Mapped[Key]
    action: Mapped[Key]
    target: Mapped[str] = mapped_column(Text)
    plan: Mapped[str] = mapped_column(String(255))
    phrase: Mapped[str] = mapped_column(Text)
    nonce: Mapped[str | None] = mapped_column(String(80))
    expires_at: Mapped[Epoch]
    code_digest: Mapped[str | None] = mapped_column(String(80))
    code_expires_at: Mapped[int | None] = mapped_column(BigInteger)
    tries: Mapped[int]


class Budget(Base):
    """Three counting windows of an account for a purpose, such as `verify:totp`.

    `failures` counts the failures in a row, however long they take.
    """

    __tablename__ = "e2ereset_budgets"
    account_id: Mapped[Key]
    purpose: Mapped[Key]
    start_1: Mapped[Epoch]
    count_1: Mapped[int]
    start_2: Mapped[Epoch]
    count_2: Mapped[int]
    start_3: Mapped[Epoch]
    count_3: Mapped[int]
    failures: Mapped[int] = mapped_column(server_default="0")
