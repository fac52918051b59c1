"""Accounts looked after from the command line: what is done, audited, and told to the owner."""

from functools import partial

import pyotp
import pytest
from sqlalchemy import String, cast, select

from e2ereset.audit.models import AuditRow
from e2ereset.jobs.models import Job
from e2ereset.server.people.models import User
from e2ereset.server.rooms.models import Room
from e2ereset.server.sessions.models import KnownAddress, Token
from e2ereset.server.tables import db
from tests.kit.commands import OPERATOR, error_of, operator_acts
from tests.kit.live import at_once
from tests.kit.server import HASHER


def told(world):
    """(recipient, change) of the mails about changes of accounts."""
    return [(to, facts["change"]) for to, facts in world.queued("account-changed")]


@pytest.mark.parametrize(
    ("words", "action"),
    [
        ("password bob --password-stdin", "set-password"),
        ("email bob new@x.org", "change-email"),
        ("email bob new@x.org --add", "change-email"),
        ("verify bob --off", "verify-email"),
        ("role bob --add admin", "change-roles"),
        ("disable bob", "disable-user"),
        ("delete bob", "delete-user"),
        ("token bob", "add-token"),
        ("token bob --personal ci", "add-token"),
        ("tokens bob --end", "end-tokens"),
        ("totp eve", "enable-totp"),
        ("email-2fa eve --off", "disable-email-codes"),
        ("totp bob --off", "disable-totp"),
        ("email-2fa bob --on", "enable-email-codes"),
        ("codes bob", "new-backup-codes"),
    ],
)
def test_an_act_leaves_one_audit_row_and_tells_the_owner(world, bob, eve, done, words, action):
    before, name = {job.id for job in world.rows(Job)}, words.split()[1]
    done("user", *words.split(), "--reason", "asked by phone", input="a better word\n")
    ((made, target, _, reason),) = operator_acts(world.runtime)
    assert (made, target, reason) == (action, f"id-of-{name}", "asked by phone")
    told = [job.recipient for job in world.rows(Job) if job.id not in before]
    assert f"{name}@x.org" in told


def test_a_user_is_added(world, done):
    made = done("user", "add", "carol", "--email", "c@x.org", "--verified", "--role", "admin")
    account = world.runtime.accounts.get(world.session, made["userId"])
    assert (made["username"], account.roles, account.emails) == ("carol", ("admin",), ("c@x.org",))
    assert not account.has_password


def test_a_new_user_and_a_change_of_rights_are_audited(world, done):
    made = done("user", "add", "carol", "--reason", "new here")
    for word in ("grant", "revoke", "revoke"):
        done("permission", word, "edit-other-user-e2ee", "bot")
    right = "edit-other-user-e2ee bot"
    assert operator_acts(world.runtime) == [
        ("add-user", made["userId"], "done", "new here"),
        ("grant-permission", right, "done", ""),
        ("revoke-permission", right, "done", ""),
    ]


def test_a_purge_that_drops_something_is_audited(world, bob, done):
    world.clock.now += 400 * 86400
    done("purge")
    done("purge")
    assert [(row[0], row[2]) for row in operator_acts(world.runtime)] == [("purge", "tokens 1")]


@pytest.mark.parametrize(
    "words", ["enable bob", "verify bob", "role bob --add user", "email-2fa bob --off"]
)
def test_what_changes_nothing_leaves_no_row(world, bob, run, words):
    assert run("user", *words.split()).exit_code == 0
    assert (operator_acts(world.runtime), told(world)) == ([], [])


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_new_password_signs_in_and_ends_what_was_signed_in(world, bob, run, end):
    run("user", "password", "bob", "--password-stdin", input=f"a better word{end}")
    (user,) = world.rows(User)
    assert HASHER.verify(HASHER.digest("a better word"), user.password_hash)
    assert world.tokens(bob) == 0


def test_a_new_user_has_the_password_from_standard_input(world, done):
    done("user", "add", "carol", "--password-stdin", input="a long word\n")
    assert HASHER.verify(HASHER.digest("a long word"), world.rows(User)[0].password_hash)


def test_a_password_is_asked_for_twice_without_being_shown(world, bob, run):
    result = run("user", "password", "bob", input="a better word\n" * 2)
    assert (result.exit_code, "better" in result.output) == (0, False)


@pytest.mark.parametrize(
    ("password", "words"), [("seven77", "at least 8 char"), ("PassWord1", "one of the commonest")]
)
@pytest.mark.parametrize("command", [["add", "carol"], ["password", "bob"]], ids=" ".join)
def test_a_weak_password_is_refused(world, bob, run, command, password, words):
    assert words in error_of(run("user", *command, "--password-stdin", input=f"{password}\n"))
    assert operator_acts(world.runtime) == []


def test_the_shortest_password_is_a_setting(make_server, config, engine):
    app = make_server(config | {"E2ERESET_SERVER_SHORTEST_PASSWORD": 15})
    add = partial(app.test_cli_runner().invoke, args=["user", "add", "carol", "--password-stdin"])
    tried = [add(input=password).exit_code for password in ("fourteen chars", "fifteen chars..")]
    assert tried == [1, 0]


def test_old_and_new_addresses_are_told(world, bob, run):
    run("user", "email", "bob", "new@x.org", "--verified")
    assert [to for to, _ in told(world)] == ["bob@x.org", "new@x.org"]
    assert world.account(bob).emails == ("new@x.org",)


def test_an_address_beside_the_others_leaves_them(world, bob, run):
    run("user", "email", "bob", "new@x.org", "--verified", "--add")
    assert world.account(bob).emails == ("bob@x.org", "new@x.org")
    run("user", "email", "bob", "BOB@x.org", "--remove")
    assert world.account(bob).emails == ("new@x.org",)


@pytest.mark.parametrize(
    "acts",
    [
        ["email eve new@x.org --verified"],
        ["verify eve old@x.org --off"],
        ["email-2fa eve --off", "email-2fa eve --on"],
    ],
)
def test_a_code_from_before_a_mail_box_was_taken_away_or_codes_were_off_is_dead(
    world, eve, run, acts
):
    run("user", "email", "eve", "old@x.org", "--verified", "--add")
    world.reset(eve)
    code = world.mailed_code()
    for words in acts:
        assert run("user", *words.split()).exit_code == 0
    assert world.reset(eve, code=code, method="email").json["errorType"] == "totp-invalid"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        *((f"email eve {it}", "no verified address") for it in ("new@x.org", "eve@x.org --remove")),
        ("verify eve --off", "no verified address"),
        ("email eve bob@x.org", "somebody else's"),
        ("email eve nonsense", "no e-mail address"),
        ("email eve other@x.org --remove", "has no address 'other@x.org'"),
        ("verify eve other@x.org", "has no address 'other@x.org'"),
        ("email-2fa bare --on", "verify your emails"),
        ("codes eve", "TOTP is not enabled"),
        ("role eve --add king", "There is no role 'king'"),
        *((f"{it} root", "Nobody would be an administrator") for it in ("disable", "delete")),
        ("role root --remove admin", "Nobody would be an administrator"),
        ("delete nobody", "There is no user 'nobody'"),
    ],
)
def test_what_must_not_be_is_refused_in_one_line(world, bob, eve, admin, run, words, said):
    world.person("bare", emails=[])
    assert said in error_of(run("user", *words.split()))
    assert operator_acts(world.runtime) == []
    assert world.account(admin).roles == ("admin",)


def test_an_administrator_who_is_not_the_last_can_go(world, admin, run):
    world.person("other", roles=["admin", "user"])
    assert run("user", "role", "other", "--remove", "admin").exit_code == 0
    world.person("third", roles=["admin"])
    assert run("user", "delete", "root").exit_code == 0


def test_two_operators_at_once_leave_one_administrator(world, admin, run):
    world.person("other", roles=["admin"])
    calls = [partial(run, "user", "disable", name) for name in ("root", "other")]
    assert sorted(result.exit_code for result in at_once(calls)) == [0, 1]


def test_a_disabled_user_is_signed_out_and_comes_back(world, bob, run):
    run("user", "disable", "bob")
    assert world.reset(bob, code=world.code(bob)).status_code == 401
    assert world.tokens(bob) == 0
    run("user", "enable", "bob")
    assert world.account(bob).active


def test_deleting_leaves_audit_rows_and_nothing_else(world, bob, eve, run):
    world.room("r", bob)
    world.session.add(KnownAddress(user_id=bob.id, network="192.0.2.1", seen_at=1))
    world.session.commit()
    world.reset(bob, code="000000")
    assert "Would be deleted: r." in run("user", "delete", "bob").stderr
    assert world.rows(Room)
    assert run("user", "delete", "bob", "--relinquish").exit_code == 0
    for rows in db.metadata.sorted_tables:
        for name in {"account_id", "user_id", "id"} & set(rows.c.keys()):
            his = select(rows).where(cast(rows.c[name], String) == bob.id)
            assert world.session.execute(his).all() == [], rows.name
    assert {row.target for row in world.rows(AuditRow)} == {bob.id, "r"}
    assert not world.rows(Room)
    assert world.tokens(eve) == 1


def test_new_backup_codes_take_the_place_of_the_old(world, bob, done):
    new = done("user", "codes", "bob")["backupCodes"]
    assert (len(new), set(new) & set(bob.backup_codes)) == (12, set())
    old = world.reset(bob, code=bob.backup_codes[0], method="totp")
    assert old.json["errorType"] == "totp-invalid"
    assert world.reset(bob, code=new[0], method="totp").status_code == 200


def test_a_reset_by_an_operator_does_all_that_a_reset_does(world, bob, done):
    world.room("r", bob)
    reason = "lost laptop, seen in person"
    said = done("user", "reset-key", "bob", "--reason", reason)
    assert said == {"username": "bob", "nothingToReset": False}
    assert (world.has_key(bob), world.tokens(bob), world.waiting(bob)) == (False, 0, {"r"})
    assert world.subscriptions(bob)[0].e2e_key is None
    assert operator_acts(world.runtime) == [("reset-e2e-key", bob.id, "reset", reason)]
    ((recipient, facts),) = world.queued("key-reset")
    assert (recipient, facts["by"], facts["agent"]) == ("bob@x.org", OPERATOR, "")


@pytest.mark.parametrize("reason", [None, " ", "x" * 256, "two\nlines"])
def test_a_reset_by_an_operator_needs_a_reason_that_can_be_kept(world, bob, run, reason):
    given = ["--reason", reason] if reason else []
    assert run("user", "reset-key", "bob", *given).exit_code == 2
    assert world.has_key(bob)


def test_a_federated_user_is_not_reset_by_an_operator_either(world, run):
    world.person("far", kind="federated")
    assert "Federated" in error_of(run("user", "reset-key", "far", "--reason", "x"))


def test_the_qr_code_is_drawn_or_written_for_its_owner_only(world, eve, run, tmp_path):
    assert set("█▄") & set(run("user", "totp", "eve").output)
    run("user", "totp", "eve", "--off")
    png = tmp_path / "eve.png"
    result = run("user", "totp", "eve", "--png", str(png))
    assert "▄" not in result.output
    assert png.read_bytes().startswith(b"\x89PNG")
    assert png.stat().st_mode & 0o077 == 0


def test_a_file_that_can_not_be_written_leaves_totp_off(world, eve, run, done, tmp_path):
    file = str(tmp_path / "no" / "eve.png")
    assert "cannot be written" in error_of(run("user", "totp", "eve", "--png", file))
    assert done("user", "show", "eve")["totp"] is False


def test_totp_is_enrolled_at_once_and_anew_after_it_was_off(world, eve, run, done):
    made = done("user", "totp", "EVE")
    assert pyotp.parse_uri(made["url"]).secret == made["secret"]
    assert len(set(made["backupCodes"])) == 12
    assert done("user", "show", "eve")["totp"] is True
    assert "enabled already" in error_of(run("user", "totp", "eve"))
    assert done("user", "totp", "eve", "--off") == {"username": "eve", "totp": False}
    assert done("user", "show", "eve")["backupCodesLeft"] == 0
    assert done("user", "totp", "eve")["secret"] != made["secret"]


def test_mailed_codes_are_switched(bob, run, done):
    for flag, enabled in (("--on", True), ("--off", False)):
        assert done("user", "email-2fa", "bob", flag) == {"username": "bob", "email2fa": enabled}
        assert done("user", "show", "bob")["email2fa"] is enabled
    assert run("user", "email-2fa", "bob").exit_code == 2


def test_show_and_list_say_the_same(eve, done):
    shown = done("user", "show", "eve")
    assert done("user", "list") == [shown]
    assert shown["emails"] == [{"address": "eve@x.org", "verified": True}]
    assert (shown["roles"], shown["keySet"], shown["password"]) == (["user"], True, False)


def test_no_listing_shows_a_secret(world, run, done):
    world.person("ann", password="pw")
    (user,) = world.rows(User)
    secrets = [done("user", "totp", "ann")["secret"], user.password_hash]
    secrets += [done("user", "token", "ann")["authToken"], world.rows(Token)[0].digest]
    shown = "".join(run("user", *args).output for args in (["show", "ann"], ["list"]))
    assert not [secret for secret in secrets if secret in shown]
