"""`outbox`: what an operator sees of the queued mails, and does with those that failed."""

import json

import pytest
from sqlalchemy import select, update

from e2ereset.jobs.models import Job
from tests.kit.server import NOW

FACTS = {"code": "424242"}


@pytest.fixture
def put(world):
    """Queues a mail of a kind that there is not."""
    runtime = world.runtime

    def put(recipient, **options):
        with runtime.transactions.begin() as session:
            runtime.jobs.put(session, "kind", FACTS, recipients=[recipient], now=NOW, **options)

    return put


@pytest.fixture
def dead(put, session):
    """Two mails that were given up, the second for good."""
    put("a@x.org")
    put("b@x.org", expires_at=NOW)
    session.execute(update(Job).values(due_at=None, outcome="gave up: OSError", attempts=9))
    session.execute(update(Job).where(Job.expires_at == NOW).values(sealed=None))
    session.commit()


def test_due_mails_are_delivered_once_and_the_audit_log_is_sealed(done, put):
    put("b@x.org")
    done("permission", "grant", "edit-other-user-e2ee", "bot")  # leaves an audit row
    assert done("outbox", "deliver", "--once") == {"delivered": 0, "sealed": 1}
    (mail,) = done("outbox", "list")
    assert (mail["recipient"], mail["attempts"], mail["state"]) == ("b@x.org", 1, "queued")


def test_the_outbox_has_heads_and_never_shows_what_is_in_a_mail(run, put, session):
    put("b@x.org")
    shown = run("outbox", "list").output
    heads, mail = shown.splitlines()
    assert heads.split()[:4] == ["id", "made", "kind", "to"]
    assert mail.split()[2:5] == ["kind", "b@x.org", "queued"]
    assert "424242" not in shown
    assert session.scalar(select(Job.sealed)) not in shown


def test_failed_mails_are_listed_without_what_is_in_them(run, done, dead):
    heads, first, second = run("outbox", "failed").output.splitlines()
    assert heads.split() == ["id", "made", "kind", "to", "failed", "tries", "retriable", "outcome"]
    assert (first.split()[3], second.split()[3]) == ("a@x.org", "b@x.org")
    assert "424242" not in json.dumps(done("outbox", "failed"))


def test_failed_mails_are_retried_or_dropped_with_an_audit_row(done, dead):
    assert done("outbox", "retry", "1", "--reason", "the relay is back") == {"retried": 1}
    assert done("outbox", "drop", "--all") == {"dropped": 1}
    assert [mail["state"] for mail in done("outbox", "list")] == ["queued"]
    rows = [(row["action"], row["target"]) for row in done("audit", "tail")]
    assert rows == [("retry-job", "kind 1"), ("drop-job", "kind 2")]


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["retry", "2"], 1, "no failed job 2 that can be retried"),
        (["drop", "7"], 1, "no failed job 7 that can be dropped"),
        (["drop", str(2**70)], 2, "not in the range"),
        (["retry"], 2, "Give ids of failed jobs, or --all"),
        (["drop", "1", "--all"], 2, "Give ids of failed jobs, or --all"),
    ],
)
def test_what_cannot_be_retried_or_dropped_is_one_line(run, dead, args, code, words):
    result = run("outbox", *args)
    assert (result.exit_code, words in result.output) == (code, True)
