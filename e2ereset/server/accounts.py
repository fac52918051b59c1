"""The server as a host: `ports.Accounts` and the optional ports over its subjects."""

from sqlalchemy.orm import Session

from e2ereset.records import Losses
from e2ereset.store.retained import Expiring

from .grants import service as grants
from .people import accounts as people
from .people import readers
from .people.password_hashing import PasswordHasher
from .rooms import members
from .rooms import service as rooms
from .rooms.losses import lock_holders, lost_rooms
from .sessions import login_budgets, tokens


class ServerAccounts:
    """The users, their passwords, room keys and sign-ins, in the server's own tables."""

    get = staticmethod(people.get_account)
    find = staticmethod(people.find_account)
    find_by_email = staticmethod(people.find_account_by_email)
    drop_keys = staticmethod(rooms.drop_room_keys)
    keys_set = staticmethod(rooms.wait_for_keys)
    lock_account_row = staticmethod(people.lock_account)
    end_sessions = staticmethod(tokens.drop_tokens)
    end_other_sessions = staticmethod(tokens.drop_other_logins)
    list_sign_ins = staticmethod(tokens.list_sign_ins)
    end_sign_in = staticmethod(tokens.end_sign_in)
    is_signed_in = staticmethod(tokens.lock_sign_in)
    has_grant = staticmethod(grants.has_grant)
    use_grant = staticmethod(grants.use_grant)
    reader = staticmethod(readers.reader)
    set_language = staticmethod(readers.set_language)
    remember_proof = staticmethod(tokens.remember_proof)
    remembered_proof = staticmethod(tokens.remembered_proof)

    def __init__(self, hasher: PasswordHasher) -> None:
        self.hasher = hasher

    def check_password(self, session: Session, account_id: str, digest: str) -> bool:
        """Whether `digest` is the SHA-256 hex of the account's password.

        Raises Busy while as many passwords are hashed as may be at once.
        """
        with self.hasher.turn():
            return people.prove_password(session, self.hasher, account_id, digest) is not None

    def lock_losses(self, session: Session, account_id: str) -> None:
        """Lock the user, who then gets no sign-in and no room, its sign-ins, and its room keys.

        Of each room one other who has the key keeps it.
        """
        tokens.lock_sign_ins(session, account_id)
        rooms.lock_room_keys(session, account_id)
        lock_holders(session, account_id)

    def losses(self, session: Session, account_id: str, now: int) -> Losses:
        """The room keys, sign-ins and personal tokens that a reset would end."""
        sign_ins, personal = tokens.count_live(session, account_id, now)
        rooms = lost_rooms(session, account_id, now)
        return Losses(rooms=rooms, sign_ins=sign_ins, tokens=personal)

    def expiring(self) -> tuple[Expiring, ...]:
        """Sign-ins that are over, networks not seen for long, and rooms left long ago."""
        return (tokens.EXPIRING, login_budgets.EXPIRING, members.EXPIRING)
