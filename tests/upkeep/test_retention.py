"""`purge`: what has had its time goes, what has not stays, and nobody notices but the disk."""

import json
from dataclasses import replace
from threading import Barrier, Event, Thread

import pytest
from sqlalchemy import event, insert, select

from e2ereset import audit
from e2ereset.audit.models import AuditRow
from e2ereset.cli.purge import make_retention
from e2ereset.errors import SettingsError
from e2ereset.factors.budgets import Budgets
from e2ereset.factors.models import Budget, EmailChallenge, Totp
from e2ereset.jobs.models import Job
from e2ereset.ports import HoldsExpiring
from e2ereset.server.sessions.models import KnownAddress, Token
from e2ereset.settings import load_settings
from e2ereset.store.tables import table
from e2ereset.testing import MemoryAccounts
from tests.kit.audit import write_row
from tests.kit.databases import ON_POSTGRESQL
from tests.kit.server import NOW

DAY = 86400
WINDOWS = ((300, 10**6), (3600, 10**6), (DAY, 10**6))
TOKENS_AND_OURS = ("tokens", "addresses", "codes", "budgets", "mails")


def purge(world, *options):
    result = world.app.test_cli_runner().invoke(args=["purge", *options, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.output)["rows"]


def put(world, model, *rows):
    with world.runtime.transactions.begin() as session:
        session.execute(insert(table(model)), list(rows))


def token(world, digest, expires_at):
    row = {"digest": digest, "user_id": world.bob.id, "kind": "login", "created_at": 1}
    put(world, Token, row | {"bypass_two_factor": False, "expires_at": expires_at})


def mailed_code(world, account, sent_at):
    texts = {"account_id": account, "action": "a", "target": "t", "phrase": "p", "digest": "d"}
    times = {"sent_at": sent_at, "expires_at": sent_at + 600}
    put(world, EmailChallenge, texts | times | {"tries": 0})


def budget(world, account, *starts):
    counts = {f"count_{n}": 3 for n in (1, 2, 3)}
    row = {"account_id": account, "purpose": "p"} | counts
    put(world, Budget, row | {f"start_{n}": start for n, start in enumerate(starts, 1)})


def mail(world, recipient, created_at, **facts):
    row = {"kind": "k", "recipient": recipient, "created_at": created_at, "attempts": 1}
    put(world, Job, row | facts)


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


def test_a_token_goes_in_the_second_it_expires(world):
    token(world, "over", NOW)
    token(world, "live", NOW + 1)
    assert purge(world)["tokens"] == 1
    assert not world.rows(Token, digest="over")
    assert world.rows(Token, digest="live")


def test_a_personal_token_never_goes(world, clock):
    token(world, "personal", None)
    clock.now += 1000 * DAY
    purge(world)
    assert world.rows(Token, digest="personal")


def test_a_network_of_a_sign_in_goes_after_thirty_days(world):
    seen = {"user_id": world.bob.id, "seen_at": NOW - 30 * DAY}
    put(world, KnownAddress, seen | {"network": "192.0.2.1"})
    put(world, KnownAddress, seen | {"network": "192.0.2.2", "seen_at": NOW - 30 * DAY + 1})
    assert purge(world)["addresses"] == 1
    assert [row.network for row in world.rows(KnownAddress)] == ["192.0.2.2"]


def test_a_mailed_code_goes_when_it_can_be_asked_for_no_more(world):
    mailed_code(world, "over", NOW - 1200)
    mailed_code(world, "pending", NOW - 1199)
    assert purge(world)["codes"] == 1
    assert [row.account_id for row in world.rows(EmailChallenge)] == ["pending"]


def test_a_budget_goes_a_day_after_all_its_windows_were_opened(world):
    budget(world, "over", *[NOW - DAY] * 3)
    budget(world, "counts", *[NOW - DAY + 1] * 3)
    assert purge(world)["budgets"] == 1
    assert [row.account_id for row in world.rows(Budget)] == ["counts"]


def test_a_budget_stays_while_a_short_window_counts(world):
    budget(world, "bob", NOW - 10, NOW - 100, NOW - DAY)
    assert purge(world)["budgets"] == 0


def test_the_budget_of_unknown_names_goes_too(world):
    budget(world, "", *[NOW - DAY] * 3)
    assert purge(world)["budgets"] == 1


@pytest.mark.parametrize(
    "end", [{"delivered_at": NOW, "outcome": "delivered"}, {"outcome": "expired"}, {"outcome": "x"}]
)
def test_a_mail_that_is_done_with_goes_after_its_days(world, end):
    mail(world, "over", NOW - 30 * DAY - 1, **end)
    mail(world, "kept", NOW - 30 * DAY, **end)
    assert purge(world)["mails"] == 1
    assert [row.recipient for row in world.rows(Job)] == ["kept"]


def test_a_mail_that_is_due_stays_however_old_it_is(keep):
    world = keep(E2ERESET_KEEP_MAILS_DAYS=1)
    mail(world, "due", NOW - 6 * DAY, due_at=NOW, sealed="s")
    assert purge(world)["mails"] == 0


def test_the_days_of_mails_are_a_setting(keep):
    world = keep(E2ERESET_KEEP_MAILS_DAYS=1)
    mail(world, "over", NOW - DAY - 1)
    assert purge(world)["mails"] == 1


# The audit log


def happened(world, at):
    with world.runtime.transactions.begin() as session:
        write_row(world.runtime.audit, session, at=at)
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
    with world.runtime.transactions.read() as session:
        assert audit.verify(session, world.runtime.keyring) == []


@pytest.mark.parametrize("days", [-1, 1, 29, 36501])
def test_audit_rows_are_not_kept_for_less_than_thirty_days(days):
    with pytest.raises(SettingsError, match="from 30 to 36500, or 0, not"):
        load_settings({"SECRET_KEY": "k" * 16, "E2ERESET_KEEP_AUDIT_DAYS": days})


# Running it


def fill(world, count):
    """Rows of every kind, of which all are over but the mails and codes of `kept`."""
    for n in range(count):
        token(world, f"token{n}", NOW - 1)
        seen = {"user_id": world.bob.id, "network": f"192.0.2.{n}", "seen_at": NOW - 90 * DAY}
        put(world, KnownAddress, seen)
        mailed_code(world, f"code{n}", NOW - 5000)
        budget(world, f"budget{n}", *[NOW - 2 * DAY] * 3)
        mail(world, "over", NOW - 90 * DAY)
    mailed_code(world, "kept", NOW)
    mail(world, "kept", NOW)


@pytest.mark.parametrize("batch", ["1", "2", "3", "7", "1000"])
def test_small_batches_drop_the_same(world, batch):
    fill(world, 6)
    assert purge(world, "--batch", batch) == dict.fromkeys(TOKENS_AND_OURS, 6)


def test_a_second_purge_finds_nothing(world):
    fill(world, 3)
    purge(world)
    assert purge(world) == dict.fromkeys(TOKENS_AND_OURS, 0)


def test_a_dry_run_counts_and_drops_nothing(keep, clock):
    world = keep(E2ERESET_KEEP_AUDIT_DAYS=30)
    happened(world, NOW - 31 * DAY)
    fill(world, 3)
    counted = purge(world, "--dry-run", "--batch", "2")
    assert counted == dict.fromkeys(TOKENS_AND_OURS, 3) | {"audit": 1}
    assert purge(world, "--dry-run") == counted


def test_it_says_what_it_dropped(world):
    fill(world, 2)
    runner = world.app.test_cli_runner()
    assert "codes to drop: 2" in runner.invoke(args=["purge", "--dry-run"]).output
    assert "codes dropped: 2" in runner.invoke(args=["purge"]).output


def test_two_purges_at_once_drop_each_row_once(world):
    fill(world, 20)
    results, start = [], Barrier(2)

    def run():
        start.wait()
        results.append(make_retention(world.runtime).purge(2))

    threads = [Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    again = purge(world)  # what one held, the other has left
    assert {what: sum(r[what] for r in [*results, again]) for what in again} == dict.fromkeys(
        TOKENS_AND_OURS, 20
    )


def test_a_purge_takes_no_count_from_a_budget_that_is_charged(world):
    budgets, charged = Budgets(world.runtime.transactions), Event()

    def charge():
        for _ in range(60):
            budgets.charge("bob", "p", WINDOWS, NOW)
        charged.set()

    budget(world, "bob", *[NOW - DAY] * 3)
    thread = Thread(target=charge)
    thread.start()
    while not charged.is_set():
        purge(world)
    thread.join()
    (row,) = world.rows(Budget, account_id="bob")
    assert row.count_3 == 60


def test_a_budget_that_is_charged_since_its_batch_was_found_stays(world):
    """The charge comes just before the DELETE, which sees it and has to spare the row."""
    budget(world, "bob", *[NOW - DAY] * 3)
    budgets = Budgets(world.runtime.transactions)

    def charge(_connection, _cursor, statement, *_):
        if statement.startswith("DELETE FROM e2ereset_budgets"):
            budgets.charge("bob", "p", WINDOWS, NOW)

    server = world.runtime.transactions.engine
    event.listen(server, "before_cursor_execute", charge)
    assert purge(world)["budgets"] == 0
    event.remove(server, "before_cursor_execute", charge)
    assert world.rows(Budget, account_id="bob")[0].count_3 == 1


@pytest.mark.skipif(not ON_POSTGRESQL, reason="there only one transaction writes at a time")
def test_a_row_that_somebody_holds_is_left_to_the_next_purge(world):
    fill(world, 3)
    held = select(Token).where(Token.digest == "token1").with_for_update()
    with world.runtime.transactions.begin() as session:
        session.execute(held)
        assert purge(world)["tokens"] == 2
    assert purge(world)["tokens"] == 1


def test_people_go_on_as_before(world, clock):
    ann = world.person("ann", totp=True, email=True)
    dan = world.person("dan", totp=True)
    assert world.reset(ann, code="000000").status_code == 400
    clock.now += 40 * DAY
    assert purge(world)["tokens"] == 3
    ann.headers, dan.headers = world.sign_in(ann.id), world.sign_in(dan.id)
    assert world.rows(Totp, account_id=ann.id)
    assert world.reset(ann, code=world.code(ann)).status_code == 200
    assert world.reset(dan, code=dan.backup_codes[0]).status_code == 200


def test_a_host_without_rows_of_that_kind_purges_the_librarys(world):
    fill(world, 1)
    bare = MemoryAccounts()
    assert not isinstance(bare, HoldsExpiring)
    retention = make_retention(replace(world.runtime, accounts=bare))
    assert retention.purge(10) == dict.fromkeys(TOKENS_AND_OURS[2:], 1)


# What it costs


@pytest.fixture
def statements(world):
    """The SELECTs and DELETEs of the server, with their parameters."""
    seen = []

    def note(_connection, _cursor, statement, parameters, *_):
        if statement.startswith(("SELECT", "DELETE")):
            seen.append((statement, parameters))

    engine = world.runtime.transactions.engine
    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


def plan(session, statement, parameters):
    """How the database runs the statement, where the tables are too large to be read whole."""
    connection = session.connection()
    if ON_POSTGRESQL:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
    explain = "EXPLAIN " if ON_POSTGRESQL else "EXPLAIN QUERY PLAN "
    return [row[-1] for row in connection.exec_driver_sql(explain + statement, parameters)]


# The first page of a walk is a scan in the order of the key, which ends after the page.
TOO_MUCH = {"DISTINCT": ("Seq Scan", "TEMP B-TREE"), "BETWEEN": ("Seq Scan", "SCAN e2ereset")}


@pytest.mark.parametrize("command", ["purge", "keys"])
def test_every_batch_is_found_by_a_key(world, statements, command):
    fill(world, 4)
    arguments = {"purge": ["purge"], "keys": ["keys", "rotate", "--json"]}[command]
    world.app.test_cli_runner().invoke(args=[*arguments, "--batch", "2"])
    for kind, words in TOO_MUCH.items():
        batches = [batch for batch in statements if kind in batch[0]]
        assert len(batches) >= 4
        steps = [step for batch in batches for step in plan(world.session, *batch)]
        assert [step for step in steps if any(word in step for word in words)] == []
