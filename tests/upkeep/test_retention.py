"""`purge`: expired rows go, all others stay, and nobody notices but the disk."""

import json
from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy import event, insert, select

from e2ereset.audit.models import AuditRow
from e2ereset.errors import SettingsError
from e2ereset.factors.budgets import Budgets
from e2ereset.factors.models import Budget, EmailChallenge, PasskeyChallenge
from e2ereset.jobs.models import Job
from e2ereset.kept.models import KeptRequest
from e2ereset.reset.models import ResetHold
from e2ereset.server.rooms.models import LeftRoom
from e2ereset.server.sessions.models import KnownAddress, Token
from e2ereset.settings import load_settings
from e2ereset.store.tables import table
from e2ereset.testing import MemoryAccounts
from e2ereset.upkeep.retention import Retention
from tests.kit.audit import write_row
from tests.kit.databases import ON_POSTGRESQL
from tests.kit.live import at_once
from tests.kit.server import NOW
from tests.kit.states import assert_log_is_whole

DAY = 86400
WINDOWS = ((300, 10**6), (3600, 10**6), (DAY, 10**6))


def purge(world, *options):
    result = world.app.test_cli_runner().invoke(args=["purge", *options, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.output)["rows"]


def put(world, model, **row):
    with world.runtime.transactions.begin() as session:
        session.execute(insert(table(model)), row)


def token(world, digest, at):
    facts = {"kind": "login", "created_at": 1, "bypass_two_factor": False, "expires_at": at}
    put(world, Token, digest=digest, user_id=world.bob.id, **facts)


def address(world, network, at):
    put(world, KnownAddress, user_id=world.bob.id, network=network, seen_at=at)


def left_room(world, room_id, at):
    put(world, LeftRoom, user_id=world.bob.id, room_id=room_id, left_at=at)


def mailed_code(world, account, at):
    facts = {"action": "a", "target": "t", "phrase": "p", "digest": "d", "tries": 0}
    put(world, EmailChallenge, account_id=account, sent_at=at, expires_at=at + 600, **facts)


def budget(world, account, *starts):
    windows = {f"start_{n}": starts[-1] for n in (1, 2, 3)}
    windows |= {f"start_{n}": start for n, start in enumerate(starts, 1)}
    counts = {f"count_{n}": 3 for n in (1, 2, 3)}
    put(world, Budget, account_id=account, purpose="p", **counts, **windows)


def kept_request(world, key, at):
    facts = {"browser": "b", "action": "a", "target": "t", "content": "c", "expires_at": at}
    put(world, KeptRequest, id=key, **facts)


def passkey_challenge(world, account, at):
    facts = {"action": "a", "target": "t", "plan": "", "phrase": "p", "tries": 0}
    put(world, PasskeyChallenge, account_id=account, expires_at=at, code_expires_at=at, **facts)


def reset_hold(world, account, at):
    put(world, ResetHold, account_id=account, since=1, until=at)


def mail(world, recipient, at, **facts):
    put(world, Job, kind="k", recipient=recipient, created_at=at, attempts=1, **facts)


# What puts a row, the column with its name, and the latest time of one that is dropped at NOW.
EXPIRING = {
    "tokens": (token, Token.digest, NOW),
    "addresses": (address, KnownAddress.network, NOW - 30 * DAY),
    "left rooms": (left_room, LeftRoom.room_id, NOW - 90 * DAY),
    "codes": (mailed_code, EmailChallenge.account_id, NOW - 1200),
    "budgets": (budget, Budget.account_id, NOW - DAY),
    "kept requests": (kept_request, KeptRequest.id, NOW),
    "passkey challenges": (passkey_challenge, PasskeyChallenge.account_id, NOW),
    "reset holds": (reset_hold, ResetHold.account_id, NOW),
    "mails": (mail, Job.recipient, NOW - 30 * DAY - 1),
}


def counts(number):
    return dict.fromkeys(EXPIRING, number)


def fill(world, count):
    """So many expired rows of every kind."""
    for put_row, _, at in EXPIRING.values():
        for n in range(count):
            put_row(world, f"expired{n}", at)


@pytest.fixture
def world(world):
    """A server with bob in it, and no mail of his."""
    world.bob = world.person("bob")
    return world


@pytest.fixture
def keep(make_server, config, world):
    """A server with these settings over the same database."""

    def keep(**settings):
        world.app = make_server(config | settings)
        return world

    return keep


# What goes, to the second


@pytest.mark.parametrize("what", EXPIRING)
def test_a_row_goes_in_the_second_it_expires(world, what):
    put_row, name, at = EXPIRING[what]
    put_row(world, "expired", at)
    put_row(world, "kept", at + 1)
    assert purge(world)[what] == 1
    names = world.session.scalars(select(name)).all()
    assert "expired" not in names
    assert "kept" in names


def test_a_personal_token_never_goes(world, clock):
    token(world, "personal", None)
    clock.now += 1000 * DAY
    purge(world)
    assert world.rows(Token, digest="personal")


@pytest.mark.parametrize("late", range(3))
def test_a_budget_stays_while_one_of_its_windows_counts(world, late):
    starts = [NOW - DAY] * 3
    starts[late] += 1
    budget(world, "bob", *starts)
    assert purge(world)["budgets"] == 0


def test_the_budget_of_unknown_names_goes_too(world):
    budget(world, "", NOW - DAY)
    assert purge(world)["budgets"] == 1


def test_the_days_of_mails_are_a_setting_and_one_that_is_due_stays(keep):
    world = keep(E2ERESET_KEEP_MAILS_DAYS=1)
    mail(world, "due", NOW - 6 * DAY, due_at=NOW, sealed="s")
    mail(world, "expired", NOW - DAY - 1)
    assert purge(world)["mails"] == 1
    assert [row.recipient for row in world.rows(Job)] == ["due"]


# The audit log


def happened(world, at, *, sealed=True):
    with world.runtime.transactions.begin() as session:
        write_row(world.runtime.audit, session, at=at)
    if sealed:
        world.runtime.sealer.seal()


def test_audit_rows_are_kept_for_ever_by_default(world, clock):
    happened(world, NOW)
    clock.now += 1000 * DAY
    assert "audit" not in purge(world)
    assert world.rows(AuditRow)


def test_audit_rows_go_after_their_days_and_the_rest_verifies(keep, clock):
    world = keep(E2ERESET_KEEP_AUDIT_DAYS=30)
    happened(world, NOW)
    clock.now += 30 * DAY
    happened(world, clock.now)
    assert purge(world)["audit"] == 0
    clock.now += 1
    assert purge(world)["audit"] == 1
    assert_log_is_whole(world.runtime)


@pytest.mark.parametrize("days", [-1, 1, 29, 36501])
def test_audit_rows_are_not_kept_for_less_than_thirty_days(days):
    with pytest.raises(SettingsError, match="from 30 to 36500, or 0, not"):
        load_settings({"SECRET_KEY": "k" * 16, "E2ERESET_KEEP_AUDIT_DAYS": days})


# Running it


@pytest.mark.parametrize("batch", ["1", "2", "3", "7", "1000"])
def test_small_batches_drop_the_same_and_a_second_purge_nothing(world, batch):
    fill(world, 6)
    mailed_code(world, "kept", NOW)
    mail(world, "kept", NOW)
    assert purge(world, "--batch", batch) == counts(6)
    assert purge(world) == counts(0)


def test_a_dry_run_counts_and_drops_nothing(keep):
    world = keep(E2ERESET_KEEP_AUDIT_DAYS=30)
    for sealed in (True, False):
        happened(world, NOW - 31 * DAY, sealed=sealed)
    fill(world, 3)
    counted = purge(world, "--dry-run", "--batch", "2")
    assert counted == counts(3) | {"audit": 1}
    assert purge(world, "--dry-run") == counted


def test_it_says_what_it_dropped(world):
    fill(world, 2)
    runner = world.app.test_cli_runner()
    assert "codes to drop: 2" in runner.invoke(args=["purge", "--dry-run"]).output
    assert "codes dropped: 2" in runner.invoke(args=["purge"]).output


def test_two_purges_at_once_drop_each_row_once(world):
    fill(world, 20)
    results = at_once([partial(Retention(world.runtime).purge, 2)] * 2)
    results.append(purge(world))  # what one held, the other has left
    assert {what: sum(rows[what] for rows in results) for what in EXPIRING} == counts(20)


@pytest.fixture
def listen(world):
    """Have this called before each statement of the server, with its text and its parameters."""
    engine, heard = world.engine, []

    def listen(call):
        heard.append(lambda _connection, _cursor, *given: call(*given[:2]))
        event.listen(engine, "before_cursor_execute", heard[0])

    yield listen
    event.remove(engine, "before_cursor_execute", heard[0])


def test_a_budget_that_is_charged_since_its_batch_was_found_stays(world, listen):
    """The charge comes just before the DELETE, which sees it and has to spare the row."""
    budget(world, "bob", NOW - DAY)
    budgets = Budgets(world.runtime.transactions)

    def charge(statement, _parameters):
        if statement.startswith("DELETE FROM e2ereset_budgets"):
            budgets.charge("bob", "p", WINDOWS, NOW)

    listen(charge)
    assert purge(world)["budgets"] == 0
    assert world.rows(Budget, account_id="bob")[0].count_3 == 1


@pytest.mark.skipif(not ON_POSTGRESQL, reason="there only one transaction writes at a time")
def test_a_row_that_somebody_holds_is_left_to_the_next_purge(world):
    fill(world, 3)
    held = select(Token).where(Token.digest == "expired1").with_for_update()
    with world.runtime.transactions.begin() as session:
        session.execute(held)
        assert purge(world)["tokens"] == 2
    assert purge(world)["tokens"] == 1


def test_a_host_without_rows_of_that_kind_purges_the_librarys(world):
    fill(world, 1)
    retention = Retention(replace(world.runtime, accounts=MemoryAccounts()))
    assert retention.purge(10) == {
        "codes": 1,
        "budgets": 1,
        "kept requests": 1,
        "passkey challenges": 1,
        "reset holds": 1,
        "mails": 1,
    }


# What it costs


def plan(session, statement, parameters):
    """How the database runs the statement, where the tables are too large to be read whole."""
    connection = session.connection()
    if ON_POSTGRESQL:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
    explain = "EXPLAIN " if ON_POSTGRESQL else "EXPLAIN QUERY PLAN "
    return [row[-1] for row in connection.exec_driver_sql(explain + statement, parameters)]


# The first page of a walk is a scan in the order of the key, which ends after the page.
TOO_MUCH = {"DISTINCT": ("Seq Scan", "TEMP B-TREE"), "BETWEEN": ("Seq Scan", "SCAN e2ereset")}


@pytest.mark.parametrize("command", [["purge"], ["keys", "rotate", "--json"]])
def test_every_batch_is_found_by_a_key(world, listen, command):
    fill(world, 4)
    statements = []
    listen(lambda *statement: statements.append(statement))
    world.app.test_cli_runner().invoke(args=[*command, "--batch", "2"])
    for kind, words in TOO_MUCH.items():
        batches = [b for b in statements if kind in b[0] and b[0].startswith(("SELECT", "DELETE"))]
        assert len(batches) >= 4
        steps = [step for batch in batches for step in plan(world.session, *batch)]
        assert [step for step in steps if any(word in step for word in words)] == []
