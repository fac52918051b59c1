"""Grants from the command line."""

import pytest

from tests.kit.commands import error_of, operator_acts

ADD = {"--action": "reset-e2e-key", "--role": "user", "--from": "192.0.2.0/24"}
ADD |= {"--per-day": "10", "--until": "2027-12-31"}


@pytest.fixture
def ask(world, run):
    """Runs `grant add bob nightly` with these changes; its result."""
    world.person("bob", key=False)

    def add(*more, **changes):
        options = ADD | {f"--{name.replace('_', '-')}": value for name, value in changes.items()}
        words = (word for pair in options.items() for word in pair)
        return run("grant", "add", "bob", *(more or ("nightly",)), *words)

    return add


def test_a_grant_is_listed_with_its_limits_and_without_its_token(world, run, done, ask):
    made = ask("nightly", "--action", "unlock-factor")
    assert made.exit_code == 0
    (row,) = done("grant", "list")
    assert row == {
        "username": "bob",
        "name": "nightly",
        "actions": ["unlock-factor", "reset-e2e-key"],
        "roles": ["user"],
        "networks": ["192.0.2.0/24"],
        "usedToday": 0,
        "perDay": 10,
        "expiresAt": "2028-01-01T00:00:00.000Z",
    }
    shown = run("grant", "list").output
    assert "0 of 10" in shown
    assert made.output.split()[-1] not in shown


def test_making_and_ending_it_is_audited_and_told_to_the_owner(world, run, ask):
    ask("nightly", "--reason", "the backup")
    run("grant", "end", "bob", "nightly")
    assert operator_acts(world.runtime) == [
        ("add-grant", "id-of-bob", "added nightly", "the backup"),
        ("end-grant", "id-of-bob", "ended nightly", ""),
    ]
    made, ended = [facts["change"] for _, facts in world.queued("account-changed")]
    limits = "reset-e2e-key for user, from 192.0.2.0/24, 10 a day"
    assert made.endswith(f"(nightly) was made, which skips the second factor: {limits}")
    assert ended == "The token for machines (nightly) was ended"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"from": "the office"}, "'the office' does not appear to be"),
        ({"from": "0.0.0.0/0"}, "every address"),
        ({"from": "::/0"}, "every address"),
        ({"role": "boss"}, "There is no role 'boss'"),
        ({"until": "2026-12-31"}, "The last day of the grant is over"),
    ],
)
def test_a_grant_without_sound_limits_is_not_made(done, ask, changes, words):
    assert words in error_of(ask(**changes))
    assert done("grant", "list") == []


@pytest.mark.parametrize(
    "changes",
    [{"action": "login"}, {"action": "add-token"}, {"per_day": "0"}, {"until": "2028-12-31"}],
)
def test_limits_that_are_none_are_a_wrong_use_of_the_command(ask, changes):
    assert ask(**changes).exit_code == 2


def test_a_label_is_a_short_word_and_taken_once(ask):
    assert ask("two words").exit_code == 2
    ask()
    assert "'nightly' already" in error_of(ask())


def test_only_a_grant_is_ended_and_no_other_token(run, done, ask):
    ask()
    run("user", "token", "bob", "--personal", "ci")
    assert "bob has no grant 'ci'" in error_of(run("grant", "end", "bob", "ci"))
    assert len(done("user", "tokens", "bob")) == 3


def test_nobody_inactive_gets_a_grant(world, run, ask):
    run("user", "disable", "bob")
    world.person("ann", key=False)
    assert "not active" in error_of(ask())
