"""Sign-ins and personal access tokens, in the bare database."""

import secrets

import pytest
from sqlalchemy import event, insert, select, text, update
from sqlalchemy.exc import OperationalError

from e2ereset.server.people.accounts import lock_active
from e2ereset.server.people.models import User
from e2ereset.server.sessions.models import Token
from e2ereset.server.sessions.tokens import (
    NewToken,
    add_token,
    drop_tokens,
    find_owner,
    find_signed_in,
    token_digest,
)
from e2ereset.store.tables import table
from tests.kit.databases import ON_POSTGRESQL, only_postgresql
from tests.kit.server import NOW, make_user

BOB = "id-of-bob"


@pytest.fixture(autouse=True)
def bob(session):
    return make_user(session)


def make_token(session, user_id=BOB, *, expires_at=NOW + 60, **facts):
    new = NewToken(user_id=user_id, created_at=NOW, expires_at=expires_at, **facts)
    return add_token(session, new, secrets)


def test_ending_sessions_ends_all_of_this_user_and_no_other(session):
    make_user(session, "eve")
    make_token(session)
    make_token(session, expires_at=None, name="bot")
    eves = make_token(session, "id-of-eve")
    assert drop_tokens(session, BOB) == 2
    assert find_owner(session, eves, NOW) == "id-of-eve"


def test_a_live_token_signs_in_with_one_statement(session):
    seen = []
    event.listen(session.get_bind(), "before_cursor_execute", lambda *it: seen.append(it[2]))
    make_user(session, "eve", roles=["admin", "user"], emails=["a@x.org", "b@x.org"])
    token = make_token(session, "id-of-eve")
    seen.clear()
    found = find_signed_in(session, "id-of-eve", token, NOW)
    assert (found.account.emails, found.bypasses) == (("a@x.org", "b@x.org"), False)
    assert (found.grant, found.unnoted) == ("", False)
    assert len(seen) == 1


def test_a_bypass_token_says_so(session):
    token = make_token(session, expires_at=None, name="ci", bypass_two_factor=True)
    assert find_signed_in(session, BOB, token, NOW + 10**9)[1] is True


def test_a_token_ends_with_its_second(session):
    token = make_token(session, expires_at=NOW + 60)
    assert find_signed_in(session, BOB, token, NOW + 59)
    assert find_signed_in(session, BOB, token, NOW + 60) is None
    assert find_owner(session, token, NOW + 60) is None


def test_a_token_is_its_owners_only(session):
    make_user(session, "eve")
    assert find_signed_in(session, "id-of-eve", make_token(session), NOW) is None


def test_a_token_of_an_inactive_user_is_worth_nothing(session, bob):
    token = make_token(session)
    bob.active = False
    session.flush()
    assert find_signed_in(session, BOB, token, NOW) is None
    assert find_owner(session, token, NOW) is None


@pytest.mark.parametrize(
    ("user_id", "token"), [("a\0", "t"), ("\ud800", "t"), (BOB, "t" * 999), (BOB, "\ud800")]
)
def test_headers_that_nothing_stored_can_match_sign_nobody_in(session, user_id, token):
    assert find_signed_in(session, user_id, token, NOW) is None


def test_only_the_digest_of_a_token_is_stored(session):
    token = make_token(session)
    assert len(token) == 43
    assert session.scalars(select(Token.digest)).all() == [token_digest(token)]


def test_the_digest_is_the_one_of_the_reference():
    assert token_digest("hello") == "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="


def test_a_new_token_sweeps_out_the_expired_ones(session):
    make_token(session, expires_at=NOW)
    make_token(session, expires_at=None, name="bot")
    make_token(session)
    assert len(session.scalars(select(Token)).all()) == 2


@only_postgresql
def test_a_token_that_was_under_way_does_not_outlive_the_end_of_sessions(session, engine):
    """What commits while we wait for its user's row is dropped too."""
    late = {"digest": "late", "user_id": BOB, "kind": "login", "created_at": NOW}
    late |= {"bypass_two_factor": False, "expires_at": NOW + 60}
    make_token(session)
    session.commit()

    @event.listens_for(engine, "after_cursor_execute")
    def commit_another(connection, _cursor, statement, *_):
        if statement.startswith("SELECT users.id"):
            assert statement.endswith("FOR UPDATE")
            connection.execute(insert(table(Token)), late)

    assert drop_tokens(session, BOB) == 2
    assert session.scalars(select(Token)).all() == []


def test_nobody_changes_the_user_between_the_check_and_the_token(session, engine):
    """Else a new password would end all sign-ins but one that the old password makes."""
    session.commit()
    assert lock_active(session, BOB)
    with engine.connect() as other:
        wait = "SET lock_timeout = '1ms'" if ON_POSTGRESQL else "PRAGMA busy_timeout = 1"
        other.execute(text(wait))
        with pytest.raises(OperationalError, match="lock"):
            other.execute(update(User).values(active=False))
