"""Users that come from elsewhere (K6): each row checked, stored or left out with a reason."""

import json

import bcrypt
import pyotp
import pytest
from sqlalchemy import select

from e2ereset.audit.models import AuditRow
from e2ereset.jobs.models import Job
from e2ereset.server.people.models import User
from e2ereset.server.people.password_hashing import PasswordHasher
from tests.kit.commands import error_of

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
PASSWORD = "an old password"
UNREADABLE = "It is no row that can be read."
OLD_HASH = bcrypt.hashpw(PasswordHasher.digest(PASSWORD).encode(), bcrypt.gensalt(10)).decode()
ANN = {
    "username": "ann",
    "passwordHash": OLD_HASH,
    "totpSecret": SECRET,
    "email": "ann@x.org",
    "verified": True,
    "roles": ["user", "admin"],
}


@pytest.fixture
def load(run, tmp_path):
    """Imports rows from a file; the exit status and what was printed, parsed."""

    def loaded(*rows, args=(), name="people.jsonl"):
        path = tmp_path / name
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        path.write_text("\n".join(lines), encoding="utf-8")
        result = run("user", "import", str(path), "--json", *args)
        return result.exit_code, json.loads(result.output)

    return loaded


def test_a_person_signs_in_with_the_old_password_and_app(world, load):
    ann = ANN | {"emails": [{"address": "old@x.org"}]}
    assert load(ann) == (0, {"dryRun": False, "stored": 1, "present": 0, "leftOut": []})
    answer = world.login("ann", PASSWORD, code=pyotp.TOTP(SECRET).at(world.clock.now))
    me = answer.json["data"]["me"]
    assert me["roles"] == ["admin", "user"]
    addresses = {one["address"]: one["verified"] for one in me["emails"]}
    assert addresses == {"ann@x.org": True, "old@x.org": False}


def test_an_import_is_audited_and_tells_nobody(world, load):
    load(ANN, args=["--reason", "the old server closes"])
    (row,) = world.rows(AuditRow)
    assert (row.action, row.reason) == ("import-user", "the old server closes")
    assert world.rows(Job) == []


def test_running_it_again_changes_nothing(world, load):
    load(ANN)
    before = world.rows(User)[0].id
    changed = ANN | {"username": "ANN", "email": "other@x.org", "roles": ["guest"]}
    assert load(changed)[1] == {"dryRun": False, "stored": 0, "present": 1, "leftOut": []}
    (user,), (_,) = world.rows(User), world.rows(AuditRow)
    assert (user.id, world.account(user).emails) == (before, ("ann@x.org",))


def test_a_dry_run_stores_nothing_and_says_the_same(world, load):
    rows = [ANN, ANN | {"username": "ben"}]
    code, said = load(*rows, args=["--dry-run"])
    assert (world.rows(User), world.rows(AuditRow)) == ([], [])
    assert (code, said | {"dryRun": False}) == load(*rows)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"username": "a b"}, "A username has 1 to 128"),
        ({"username": None}, "username: "),
        ({"username": 7}, "username: Not a valid string"),
        ({"email": "nonsense"}, "no e-mail address"),
        ({"emails": [{"address": "a@x.org"}, {"address": "A@x.org"}]}, "twice"),
        ({"emails": [{"adress": "a@x.org"}]}, "emails.0.adress: Unknown field"),
        ({"roles": ["king"]}, "There is no role 'king'. Known: admin"),
        ({"roles": "admin"}, "roles: Not a valid list"),
        *(({"passwordHash": it}, "bcrypt is needed") for it in ("5f4d" * 8, "$2b$10$short", "")),
        *(({"totpSecret": it}, "The secret is no base32") for it in ("0189", "JBSWY3DP")),
        ({"password": "plain"}, "password: Unknown field"),
        ({"verified": "perhaps"}, "verified: Not a valid boolean"),
    ],
    ids=str,
)
def test_a_row_that_can_not_be_is_left_out_and_the_others_are_stored(world, load, change, why):
    code, said = load(ANN | {"email": "o@x.org"} | change, ANN | {"username": "ben"})
    (left,) = said["leftOut"]
    assert (code, said["stored"], left["line"]) == (1, 1, 1)
    assert why in left["why"]
    assert not [s for s in (SECRET, OLD_HASH) if s in json.dumps(said)]
    assert [user.username for user in world.rows(User)] == ["ben"]


@pytest.mark.parametrize(
    "line",
    ["{", "[]", '"ann"', "7", "nul\x00", pytest.param("[" * 100_000, id="too-deep")],
)
def test_a_line_that_is_no_object_is_left_out(load, line):
    code, said = load(line, ANN)
    assert (code, said["stored"], said["leftOut"][0]["why"]) == (1, 1, UNREADABLE)


def test_a_name_or_an_address_that_stands_twice_is_left_out(load):
    ben = ANN | {"username": "ben"}
    said = load(ANN, ANN | {"email": "other@x.org"}, ben)[1]
    assert [left["line"] for left in said["leftOut"]] == [2, 3]
    assert all("twice" in left["why"] for left in said["leftOut"])


def test_an_address_of_somebody_who_is_there_is_left_out(world, load):
    world.person("bob", emails=["ANN@x.org"])
    assert "taken" in load(ANN)[1]["leftOut"][0]["why"]


def test_csv_says_the_same(world, load):
    heads = "username,email,verified,roles,passwordHash,totpSecret,active"
    row = f"ann,ann@x.org,true,user admin,{ANN['passwordHash']},{SECRET},"
    off = "ben,ben@x.org,,,,,false"
    assert load(heads, row, off, "a,b", name="people.csv")[1] == {
        "dryRun": False,
        "stored": 2,
        "present": 0,
        "leftOut": [{"line": 4, "username": "", "why": UNREADABLE}],
    }
    ann, ben = sorted(world.rows(User), key=lambda user: user.username)
    assert (world.account(ann).roles, ben.active) == (("admin", "user"), False)
    assert (world.account(ann).emails, world.account(ben).emails) == (("ann@x.org",), ())
    assert world.session.scalar(select(User.password_hash).where(User.id == ben.id)) is None


def test_a_line_of_csv_that_is_too_long_is_left_out(load):
    code, said = load("username,email", "ann," + "x" * 140_000, "ben,", name="people.csv")
    assert (code, said["stored"]) == (1, 1)
    assert said["leftOut"] == [{"line": 2, "username": "", "why": UNREADABLE}]


@pytest.mark.parametrize("heads", ["username,colour", "username,username", ""])
def test_columns_that_are_not_known_or_there_twice_are_one_clear_line(run, tmp_path, heads):
    (tmp_path / "people.csv").write_text(f"{heads}\nann,red\n")
    error = error_of(run("user", "import", str(tmp_path / "people.csv")))
    assert "must name columns, each once, out of: active, email" in error


def test_people_read_which_lines_were_left_out(run, tmp_path):
    (tmp_path / "people").write_text('{"username": "a b"}\n{"username": "ben"}\n')
    first, last = run("user", "import", str(tmp_path / "people")).output.splitlines()
    assert first.startswith("Line 1, a b: left out. A username has")
    assert last == "1 stored, 0 there already, 1 left out."
