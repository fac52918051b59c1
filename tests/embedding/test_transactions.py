"""Our transactions beside a host's own: whole, and never waiting for ever."""

import pytest
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import select, text

from e2ereset import Caller
from e2ereset.errors import SettingsError
from e2ereset.vault.models import KeyPair
from tests.kit.databases import only_direct, only_postgresql
from tests.kit.host import BOB, SUE, reset_bob, users

AUTOCOMMIT = {"isolation_level": "AUTOCOMMIT"}
ONE_CONNECTION = {"pool_size": 1, "max_overflow": 0, "pool_timeout": 1}


def test_autocommit_that_we_cannot_leave_is_refused(make_host):
    host = make_host(db=SQLAlchemy(engine_options={"execution_options": AUTOCOMMIT}))
    with pytest.raises(SettingsError, match="needs transactions"):
        host.code()


def test_a_host_that_commits_each_statement_has_whole_resets_too(make_host):
    host = make_host(db=SQLAlchemy(engine_options=AUTOCOMMIT), PROPAGATE_EXCEPTIONS=False)
    host.give_key()
    host.accounts.failing, host.accounts.fault = "drop_keys", RuntimeError("no")
    assert host.reset(BOB, host.code()).status_code == 503
    assert host.count(KeyPair) == 1


def test_one_connection_is_enough_for_a_host_that_closes_its_session(with_users):
    db = SQLAlchemy(engine_options=ONE_CONNECTION)
    User = users(db)

    def identify():
        found = db.session.scalars(select(User)).first()
        assert found.name == "bob"
        db.session.close()
        return Caller(account=SUE)

    host = with_users(db, User, identify=identify)
    assert reset_bob(host).status_code == 200


@only_postgresql
def test_a_row_that_the_host_has_changed_itself_is_not_waited_for_for_ever(with_users):
    db = SQLAlchemy()
    User = users(db)
    host = with_users(db, User)
    host.app.before_request(
        lambda: db.session.execute(text("UPDATE host_users SET ended = 9")) and None
    )
    assert reset_bob(host).status_code == 503
    assert host.ended() == 0


@only_postgresql
@only_direct
@pytest.mark.parametrize(("options", "limit"), [("", "5s"), ("-c lock_timeout=7s", "7s")])
def test_a_limit_of_the_hosts_own_stays(make_host, options, limit):
    db = SQLAlchemy(engine_options={"connect_args": {"options": options}})
    transactions = make_host(db=db).runtime.transactions
    show = text("SHOW lock_timeout")
    with transactions.begin() as session:
        assert session.connection().scalar(show) == limit
    with transactions.engine.connect() as connection:
        assert connection.scalar(show) == ("0" if limit == "5s" else limit)
