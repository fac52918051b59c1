"""The server's users as the library sees them, in the bare database."""

import secrets

import pytest
from sqlalchemy import event, insert, select

from e2ereset import ports
from e2ereset.server.people.models import User
from e2ereset.server.people.password_hashing import PasswordHasher
from e2ereset.server.rooms.models import Room, Subscription, Waiting
from e2ereset.server.sessions.models import Token
from e2ereset.server.sessions.tokens import (
    NewToken,
    TokenNameTaken,
    add_token,
    drop_token,
    find_owner,
    find_signed_in,
    token_digest,
)
from e2ereset.store.tables import table
from tests.kit.databases import ON_POSTGRESQL
from tests.kit.server import HASHER, NOW, make_user

BOB = "id-of-bob"


def make_token(session, user_id=BOB, *, expires_at=NOW + 60, **facts):
    new = NewToken(user_id=user_id, created_at=NOW, expires_at=expires_at, **facts)
    return add_token(session, new, secrets)


def join(session, room_id, *, encrypted=True, **keys):
    session.add(Room(id=room_id, encrypted=encrypted))
    session.flush()
    session.add(Subscription(user_id=BOB, room_id=room_id, **keys))
    session.flush()


def waiting(session):
    return dict(map(tuple, session.execute(select(Waiting.room_id, Waiting.since))))


def test_the_accounts_are_every_port(accounts):
    for port in (ports.FindsByEmail, ports.HoldsKeys, ports.HoldsSessions, ports.ListensForKeys):
        assert isinstance(accounts, port)


def test_an_account_has_all_roles_and_the_verified_addresses_in_order(session, accounts):
    make_user(session, roles=["user", "admin"], emails=["z@x.org", "no@x.org!", "a@x.org"])
    found = accounts.get(session, BOB)
    assert found.emails == ("z@x.org", "a@x.org")
    assert set(found.roles) == {"user", "admin"}


def test_an_account_without_roles_and_addresses_is_found(session, accounts):
    make_user(session, roles=[])
    found = accounts.get(session, BOB)
    assert (found.roles, found.emails, found.has_password) == ((), (), False)


def test_an_account_says_what_it_is(session, accounts):
    make_user(session, kind="federated", active=False, password_hash="x")
    found = accounts.get(session, BOB)
    assert (found.federated, found.active, found.has_password) == (True, False, True)


@pytest.mark.parametrize("name", ["Straße", "STRAẞE", "straße"])
def test_a_username_is_found_whatever_its_case(session, accounts, name):
    make_user(session, "Straße")
    assert accounts.find(session, name).username == "Straße"


def test_an_address_is_found_whatever_its_case(session, accounts):
    make_user(session, emails=["Bob@X.org"])
    assert accounts.find_by_email(session, "bOB@x.ORG").id == BOB


@pytest.mark.parametrize("name", ["", "nobody", "bob\0", "\ud800", "b" * 100_000, "%", "bob\n"])
def test_a_name_that_nobody_has_finds_nobody(session, accounts, name):
    make_user(session)
    assert accounts.get(session, name) is None
    assert accounts.find(session, name) is None
    assert accounts.find_by_email(session, name) is None


def test_the_right_password_is_right(session, accounts):
    make_user(session, password_hash=HASHER.hash("pw"))
    assert accounts.check_password(session, BOB, HASHER.digest("pw"))
    assert not accounts.check_password(session, BOB, HASHER.digest("no"))


def test_no_password_is_right_for_an_account_without_one(session, accounts):
    make_user(session)
    assert not accounts.check_password(session, BOB, HASHER.digest(""))


def test_a_hash_of_an_old_cost_is_replaced_on_success_only(session, accounts):
    old = PasswordHasher(5).hash("pw")
    make_user(session, password_hash=old)
    stored = select(User.password_hash)
    accounts.check_password(session, BOB, HASHER.digest("no"))
    assert session.scalar(stored) == old
    accounts.check_password(session, BOB, HASHER.digest("pw"))
    assert session.scalar(stored).startswith("$2b$04$")
    assert accounts.check_password(session, BOB, HASHER.digest("pw"))


def test_dropping_keys_clears_all_four_columns(session, accounts):
    keys = ("e2e_key", "suggested_key", "suggested_old_keys", "old_keys")
    make_user(session)
    join(session, "r1", **dict.fromkeys(keys, "wrapped"))
    assert accounts.drop_keys(session, BOB, NOW)
    columns = [getattr(Subscription, key) for key in keys]
    assert session.execute(select(*columns)).one() == (None,) * 4


def test_dropping_keys_waits_in_encrypted_rooms_only(session, accounts):
    make_user(session)
    join(session, "secret", e2e_key="k")
    join(session, "keyless")
    join(session, "open", encrypted=False)
    accounts.drop_keys(session, BOB, NOW)
    assert waiting(session) == {"secret": NOW, "keyless": NOW}


def test_who_waits_already_keeps_the_place(session, accounts):
    make_user(session)
    join(session, "r1")
    accounts.drop_keys(session, BOB, NOW)
    accounts.drop_keys(session, BOB, NOW + 9)
    assert waiting(session) == {"r1": NOW}


def test_nothing_to_drop_is_said(session, accounts):
    make_user(session)
    join(session, "r1")
    assert not accounts.drop_keys(session, BOB, NOW)


def test_keys_of_others_stay(session, accounts):
    make_user(session)
    make_user(session, "eve")
    join(session, "r1", e2e_key="k")
    session.add(Subscription(user_id="id-of-eve", room_id="r1", e2e_key="eve's"))
    session.flush()
    accounts.drop_keys(session, BOB, NOW)
    assert set(session.scalars(select(Subscription.e2e_key))) == {None, "eve's"}
    assert session.scalars(select(Waiting.user_id)).all() == [BOB]


def test_a_new_key_pair_waits_where_the_room_key_is_missing(session, accounts):
    make_user(session)
    join(session, "has", e2e_key="k")
    join(session, "lacks")
    join(session, "open", encrypted=False)
    accounts.keys_set(session, BOB, NOW)
    assert waiting(session) == {"lacks": NOW}


def test_ending_sessions_ends_all_of_this_user_and_no_other(session, accounts):
    make_user(session)
    make_user(session, "eve")
    make_token(session)
    make_token(session, expires_at=None, name="bot")
    eves = make_token(session, "id-of-eve")
    assert accounts.end_sessions(session, BOB) == 2
    assert find_owner(session, eves, NOW) == "id-of-eve"


def test_a_live_token_signs_in_with_one_statement(session):
    make_user(session, roles=["admin", "user"], emails=["a@x.org", "b@x.org"])
    token, seen = make_token(session), []
    event.listen(session.get_bind(), "before_cursor_execute", lambda *it: seen.append(it[2]))
    account, bypasses = find_signed_in(session, BOB, token, NOW)
    assert (account.emails, bypasses, len(seen)) == (("a@x.org", "b@x.org"), False, 1)


def test_a_bypass_token_says_so(session):
    make_user(session)
    token = make_token(session, expires_at=None, name="ci", bypass_two_factor=True)
    assert find_signed_in(session, BOB, token, NOW + 10**9)[1] is True


def test_a_token_ends_with_its_second(session):
    make_user(session)
    token = make_token(session, expires_at=NOW + 60)
    assert find_signed_in(session, BOB, token, NOW + 59)
    assert find_signed_in(session, BOB, token, NOW + 60) is None
    assert find_owner(session, token, NOW + 60) is None


def test_a_token_is_its_owners_only(session):
    make_user(session)
    make_user(session, "eve")
    assert find_signed_in(session, "id-of-eve", make_token(session), NOW) is None


def test_a_token_of_an_inactive_user_is_worth_nothing(session):
    user = make_user(session)
    token = make_token(session)
    user.active = False
    session.flush()
    assert find_signed_in(session, BOB, token, NOW) is None
    assert find_owner(session, token, NOW) is None


@pytest.mark.parametrize(
    ("user_id", "token"), [("a\0", "t"), ("\ud800", "t"), (BOB, "t" * 999), (BOB, "\ud800")]
)
def test_headers_that_nothing_stored_can_match_sign_nobody_in(session, user_id, token):
    make_user(session)
    assert find_signed_in(session, user_id, token, NOW) is None


def test_only_the_digest_of_a_token_is_stored(session):
    make_user(session)
    token = make_token(session)
    assert len(token) == 43
    assert session.scalars(select(Token.digest)).all() == [token_digest(token)]


def test_the_digest_is_the_one_of_the_reference():
    assert token_digest("hello") == "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="


def test_an_inactive_user_gets_no_token(session):
    make_user(session, active=False)
    assert make_token(session) is None
    assert session.scalars(select(Token)).all() == []


def test_a_new_token_sweeps_out_the_expired_ones(session):
    make_user(session)
    make_token(session, expires_at=NOW)
    make_token(session, expires_at=None, name="bot")
    make_token(session)
    assert len(session.scalars(select(Token)).all()) == 2


def test_a_personal_name_is_used_once(session):
    make_user(session)
    make_token(session, expires_at=None, name="bot")
    with pytest.raises(TokenNameTaken, match="'bot' already"):
        make_token(session, expires_at=None, name="bot")


def test_dropping_a_token_drops_that_one(session):
    make_user(session)
    first, second = make_token(session), make_token(session)
    assert drop_token(session, BOB, first)
    assert not drop_token(session, BOB, first)
    assert find_owner(session, second, NOW) == BOB


def test_a_token_that_was_under_way_does_not_outlive_the_end_of_sessions(session, engine, accounts):
    """What commits while we wait for its user's row is dropped by a second look."""
    make_user(session)
    make_token(session)
    late = {"digest": "late", "user_id": BOB, "kind": "login", "created_at": NOW}
    late |= {"bypass_two_factor": False, "expires_at": NOW + 60}

    @event.listens_for(engine, "after_cursor_execute")
    def commit_another(connection, _cursor, statement, *_):
        if statement.startswith("SELECT users.id"):
            assert not ON_POSTGRESQL or statement.endswith("FOR UPDATE")
            connection.execute(insert(table(Token)), late)

    assert accounts.end_sessions(session, BOB) == 2
    assert session.scalars(select(Token)).all() == []
