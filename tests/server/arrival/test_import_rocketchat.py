"""People arrive from Rocket.Chat with all that they had: `e2ereset import rocketchat`."""

import base64
import hashlib
import json

import bcrypt
import pyotp
import pytest

from e2ereset.audit.models import AuditRow
from e2ereset.factors.models import BackupCode
from e2ereset.jobs.models import Job
from e2ereset.permissions.models import Role
from e2ereset.server.people.models import User
from e2ereset.server.rooms.models import LeftRoom, Room, RoomRole, Subscription, Waiting
from e2ereset.server.sessions.models import Token
from e2ereset.store.tables import Base
from tests.kit.client import API
from tests.kit.commands import error_of
from tests.kit.server import NOW
from tests.kit.world import error, sha256

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXPJBSW"
PASSWORD, CODE = "the old password", "aB3dE5gH"
HASH = bcrypt.hashpw(sha256(PASSWORD).encode(), bcrypt.gensalt(4)).decode()
ANN_ID, BEN_ID, ROOM_ID = "oPx6tR8wNfL2aBc4e", "3sSX7xMZ6Dowhzm9k", "Qm7HRpSw5vcXjNE2d"
TOKEN, PERSONAL = "t" * 43, "p" * 43
RECENT = {"$date": {"$numberLong": str((NOW - 86_400) * 1000)}}  # canonical extended JSON
FUTURE = {"$date": "9999-01-01T00:00:00.000Z"}
LONG_AGO = {"$date": "2019-05-01T10:00:00.123Z"}  # relaxed


def hashed(token):
    return base64.b64encode(hashlib.sha256(token.encode()).digest()).decode()


def with_services(document, **services):
    return document | {"services": document["services"] | services}


TOTP = {"enabled": True, "secret": SECRET, "hashedBackup": [sha256(CODE), sha256("other123")]}
TOKENS = [
    {"when": RECENT, "hashedToken": hashed(TOKEN), "twoFactorAuthorizedHash": "x"},
    {"when": LONG_AGO, "hashedToken": hashed("old")},
    {
        "hashedToken": hashed(PERSONAL),
        "type": "personalAccessToken",
        "createdAt": LONG_AGO,
        "lastTokenPart": PERSONAL[-6:],
        "name": "script",
        "bypassTwoFactor": True,
    },
]
ANN = {
    "_id": ANN_ID,
    "createdAt": LONG_AGO,
    "username": "ann",
    "name": "Ann Other",
    "type": "user",
    "active": True,
    "roles": ["user", "help-desk"],
    "emails": [{"address": "ann@x.org", "verified": True}, {"address": "a@y.org"}],
    "bio": "Line one\nLine two",
    "customFields": {"team": "red"},
    "e2e": {"public_key": '{"kty":"RSA"}', "private_key": '{"$binary":"AAAA"}'},
    "services": {
        "password": {"bcrypt": HASH},
        "totp": TOTP,
        "email2fa": {"enabled": True, "changedAt": RECENT},
        "resume": {"loginTokens": TOKENS},
    },
    "__rooms": [ROOM_ID],
    "statusText": None,
}
BEN = {"_id": BEN_ID, "username": "ben", "active": True, "roles": ["user"], "services": {}}
ROLES = [
    {"_id": "admin", "name": "admin", "scope": "Users", "protected": True},
    {"_id": "help-desk", "name": "help-desk", "scope": "Users", "protected": False},
]
PERMISSIONS = [
    {"_id": "edit-other-user-e2ee", "roles": ["help-desk"]},
    {"_id": "view-d-room", "roles": ["admin", "user", "bot", "app", "guest"]},
    {"_id": "manage-emoji", "roles": ["admin"]},
]
ROOMS = [
    {
        "_id": ROOM_ID,
        "t": "p",
        "name": "secrets",
        "u": {"_id": ANN_ID, "username": "ann"},
        "ts": LONG_AGO,
        "encrypted": True,
        "e2eKeyId": "key-2",
    },
    {"_id": "GENERAL", "t": "c", "name": "general"},
]
OLD_KEY = {"e2eKeyId": "key-1", "ts": LONG_AGO, "E2EKey": "wrapped-1"}
SUBSCRIPTIONS = [
    {
        "_id": "s1",
        "u": {"_id": ANN_ID, "username": "ann"},
        "rid": ROOM_ID,
        "t": "p",
        "roles": ["owner"],
        "ts": LONG_AGO,
        "E2EKey": "wrapped-2",
        "oldRoomKeys": [OLD_KEY],
    },
    {"_id": "s2", "u": {"_id": BEN_ID}, "rid": ROOM_ID, "t": "p"},
    {"_id": "s3", "u": {"_id": BEN_ID}, "rid": "GENERAL", "t": "c"},
]
EXPORT = {
    "users": [ANN, BEN],
    "rocketchat_roles": ROLES,
    "rocketchat_permissions": PERMISSIONS,
    "rocketchat_room": ROOMS,
    "rocketchat_subscription": SUBSCRIPTIONS,
}


def counts(stored=0, present=0, unused=0):
    return {"stored": stored, "present": present, "unused": unused}


@pytest.fixture
def load(run, tmp_path):
    """Imports documents, by the names of their files; the exit status and what was printed."""

    def loaded(args=(), **files):
        for name, rows in files.items():
            text = "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)
            (tmp_path / f"{name}.json").write_text(text, encoding="utf-8")
        result = run("import", "rocketchat", str(tmp_path), "--json", *args)
        return result.exit_code, json.loads(result.output)

    return loaded


@pytest.fixture
def arrived(world, load):
    """A server to which all have come; what was printed."""
    code, said = load(**EXPORT)
    assert code == 0, said
    return said


def headers(token=TOKEN, user_id=ANN_ID):
    return {"X-User-Id": user_id, "X-Auth-Token": token}


def get(world, route, **options):
    return world.client.get(API + route, headers=headers(), **options)


def test_it_says_what_became_of_every_row(arrived):
    assert {name: arrived[name] for name in arrived if isinstance(arrived[name], dict)} == {
        "roles": counts(stored=1, present=1),
        "permissions": counts(stored=1, present=1, unused=1),
        "users": counts(stored=2),
        "rooms": counts(stored=1, unused=1),
        "subscriptions": counts(stored=2, unused=1),
    }
    assert arrived["leftOut"] == []
    assert [(one["id"], one["why"]) for one in arrived["partly"]] == [
        ("ann", "Tokens, 1: They have expired."),
        ("ben", "It has no password: it has signed in by another service, which is not here."),
    ]


@pytest.fixture
def everything(world):
    """Reads all rows of all tables."""

    def everything():
        with world.engine.connect() as connection:
            tables = [*Base.metadata.sorted_tables, *User.metadata.sorted_tables]
            return {t.name: sorted(map(str, connection.execute(t.select()))) for t in tables}

    return everything


def test_running_it_again_changes_nothing(load, arrived, everything):
    before = everything()
    code, said = load(**EXPORT)
    assert (code, said["users"], said["partly"]) == (0, counts(present=2), [])
    assert said["subscriptions"] == counts(present=2, unused=1)
    assert everything() == before


def test_a_dry_run_says_the_same_and_changes_nothing(load, everything):
    before = everything()
    half_good = another(1, {"totp": TOTP | {"secret": "0189"}})  # it fails when it is half stored
    export = EXPORT | {"users": [half_good, ANN, BEN, ANN, another(1)]}
    tried = load(**export, args=["--dry-run"])
    assert everything() == before
    code, done = load(**export)
    assert tried == (code, done | {"dryRun": True})
    assert (code, done["users"]) == (1, counts(stored=3, present=1))


def test_people_keep_password_and_authenticator(world, arrived):
    code = pyotp.TOTP(SECRET).at(world.clock.now)
    assert error(world.login("ann", PASSWORD)) == "totp-required"
    assert world.login("ann", "wrong", code=code).status_code == 401
    me = world.login("ann", PASSWORD, code=code).json["data"]["me"]
    assert (me["_id"], me["name"], me["roles"]) == (ANN_ID, "Ann Other", ["help-desk", "user"])
    assert (me["bio"], me["customFields"]) == ("Line one\nLine two", {"team": "red"})
    assert [(one["address"], one["verified"]) for one in me["emails"]] == [
        ("ann@x.org", True),
        ("a@y.org", False),
    ]
    assert me["services"]["email2fa"] == {"enabled": True}
    assert world.rows(User, id=ANN_ID)[0].created_at == 1_556_704_800


def test_people_keep_their_backup_codes(world, arrived):
    assert world.login("ann", PASSWORD, code=CODE).status_code == 200
    assert world.login("ann", PASSWORD, code=CODE).status_code == 401
    assert len(world.rows(BackupCode)) == 1


def test_people_stay_signed_in_and_scripts_keep_their_tokens(world, arrived):
    assert get(world, "me").json["username"] == "ann"
    world.clock.now += 90 * 86_400 - 86_400 + 1
    assert get(world, "me").status_code == 401
    answer = world.client.post(f"{API}users.resetE2EKey", headers=headers(PERSONAL))
    assert answer.json == {"success": True}


def test_a_token_was_not_made_in_the_future(world, load):
    tokens = [TOKENS[0] | {"when": FUTURE}, TOKENS[2] | {"createdAt": FUTURE}]
    load(users=[with_services(ANN | {"roles": ["user"]}, resume={"loginTokens": tokens})])
    assert [row.created_at for row in world.rows(Token)] == [NOW, NOW]


def test_a_personal_token_keeps_name_and_last_part(world, arrived):
    (token,) = world.rows(Token, kind="personal")
    assert (token.name, token.last_part, token.expires_at) == ("script", "p" * 6, None)
    assert token.bypass_two_factor


def test_people_keep_key_pair_room_keys_and_old_keys(world, arrived):
    keys = get(world, "e2e.fetchMyKeys").json
    assert (keys["public_key"], keys["private_key"]) == tuple(ANN["e2e"].values())
    (room,) = world.rows(Room)
    assert (room.id, room.name, room.encrypted, room.e2e_key_id) == (
        ROOM_ID,
        "secrets",
        True,
        "key-2",
    )
    (mine,) = world.rows(Subscription, user_id=ANN_ID)
    assert (mine.e2e_key, mine.joined_at) == ("wrapped-2", 1_556_704_800)
    assert json.loads(mine.old_keys) == [OLD_KEY | {"ts": "2019-05-01T10:00:00.000Z"}]
    assert [row.role for row in world.rows(RoomRole)] == ["owner"]


def test_who_has_no_room_key_waits_for_it(world, arrived):
    assert [(row.user_id, row.room_id) for row in world.rows(Waiting)] == [(BEN_ID, ROOM_ID)]


def test_rights_are_those_of_the_other_server(world, arrived):
    with world.runtime.transactions.read() as session:
        rows = world.runtime.permissions.rows(session)
    assert [role for name, role in rows if name == "edit-other-user-e2ee"] == ["help-desk"]
    assert world.rows(Role, name="help-desk")[0].rank == 10


def test_a_permission_that_was_changed_here_stays(world, load):
    world.permit("edit-other-user-e2ee", "bot")
    load(rocketchat_roles=ROLES, rocketchat_permissions=PERMISSIONS)
    with world.runtime.transactions.read() as session:
        rows = world.runtime.permissions.rows(session)
    assert ("edit-other-user-e2ee", "admin") in rows


def test_an_import_is_audited_and_tells_nobody(world, load):
    load(**EXPORT, args=["--reason", "the old server closes"])
    rows = world.rows(AuditRow)
    assert {row.reason for row in rows} == {"the old server closes"}
    assert sorted((row.action, row.target, row.outcome) for row in rows) == [
        ("import-permission", "edit-other-user-e2ee", "done"),
        ("import-rocketchat", "permissions", "1 stored"),
        ("import-rocketchat", "roles", "1 stored"),
        ("import-rocketchat", "rooms", "1 stored"),
        ("import-rocketchat", "subscriptions", "2 stored"),
        ("import-rocketchat", "users", "2 stored"),
        ("import-role", "help-desk", "done"),
        ("import-user", BEN_ID, "done"),
        ("import-user", ANN_ID, "done"),
    ]
    assert world.rows(Job) == []


NO_HASH = "No password can be held against its hash"
PLAIN_TOKEN = {"resume": {"loginTokens": [{"hashedToken": TOKEN}]}}
CANNOT_BE = [
    ({"_id": 7}, "_id: Not a valid string"),
    ({"_id": "a b"}, "_id: It is no id."),
    ({"username": None}, "username: Missing data"),
    ({"username": "a b"}, "A username has 1 to 128"),
    ({"username": "ZED"}, "taken"),
    ({"name": "\ud800"}, "name: It has characters that cannot be stored."),
    ({"name": "x" * 256}, "name: It is longer than 255"),
    ({"roles": []}, "without one nobody signs in"),
    ({"roles": ["king"]}, "There is no role 'king'"),
    ({"emails": [{"address": "nonsense"}]}, "no e-mail address"),
    ({"emails": [{"address": "ZED@x.org"}]}, "taken"),
    ({"createdAt": {"$date": "soon"}}, "createdAt: It is no date."),
    ({"createdAt": {"$date": {"$numberLong": "9" * 20}}}, "no date that can be"),
    ({"services": {"password": {"bcrypt": "5f4d" * 8}}}, NO_HASH),
    ({"services": {"totp": TOTP | {"secret": "0189"}}}, "The secret is no base32"),
    ({"services": {"totp": TOTP | {"hashedBackup": ["x"]}}}, "services.totp.hashedBackup.0: "),
    ({"services": PLAIN_TOKEN}, "loginTokens.0.hashedToken: It is no SHA-256 in base64."),
]
FRESH = TOKENS[:1]
COMES_WITHOUT = [
    ({"totp": {"tempSecret": SECRET}}, {}, "TOTP: its enrolment was not finished."),
    ({"totp": {"enabled": True}}, {}, "TOTP: it has no secret."),
    ({}, {"emails": [{"address": "b@y.org"}]}, "Codes by e-mail: no address is verified."),
    ({}, {"e2e": {"public_key": "half"}}, "Key pair: half of it is missing."),
    ({"resume": {"loginTokens": FRESH}}, {"active": False}, "Tokens, 1: The user is not active."),
    ({"resume": {"loginTokens": [{"token": "plain"}]}}, {}, "Tokens, 1: They have no hash."),
    ({"resume": {"loginTokens": [TOKENS[1]] * 2}}, {}, "Tokens, 2: They have expired."),
    (
        {"resume": {"loginTokens": [TOKENS[2]] * 2}},
        {},
        "Tokens, 1: There is this token, or one of its name, already.",
    ),
]


def another(number, services=None):
    """Somebody like ann, but for the number, and without tokens."""
    own = {"_id": f"id-{number}", "username": f"u{number}", "roles": ["user"]}
    emails = [{"address": f"u{number}@x.org", "verified": True}]
    return with_services(ANN | own | {"emails": emails}, **{"resume": {}} | (services or {}))


def test_a_user_who_cannot_be_is_left_out_and_the_others_are_stored(world, load):
    world.person("zed")
    documents = [another(number) | change for number, (change, _) in enumerate(CANNOT_BE)]
    code, said = load(users=[*documents, BEN])
    assert (code, said["users"]) == (1, counts(stored=1))
    assert [left["row"] for left in said["leftOut"]] == list(range(1, len(CANNOT_BE) + 1))
    found = [left["why"] for left in said["leftOut"]]
    wanted = [why for _, why in CANNOT_BE]
    assert [(w, f) for w, f in zip(wanted, found, strict=True) if w not in f] == []
    assert not [s for s in (SECRET, HASH, hashed(TOKEN), TOKEN) if s in json.dumps(said)]
    assert [row.username for row in world.rows(User)] == [BEN["username"], "zed"]


def test_what_a_user_comes_without_is_said(load):
    cases = enumerate(COMES_WITHOUT)
    documents = [another(number, services) | change for number, (services, change, _) in cases]
    code, said = load(users=documents)
    assert (code, said["users"]) == (0, counts(stored=len(documents)))
    wanted = [(number, why) for number, (_, _, why) in enumerate(COMES_WITHOUT, 1)]
    assert [(one["row"], one["why"]) for one in said["partly"]] == wanted


def test_visitors_have_no_account(load):
    assert load(users=[ANN | {"type": "visitor"}])[1]["users"] == counts(unused=1)


def test_a_federated_user_stays_one(world, load):
    load(users=[BEN | {"federated": True}])
    assert world.rows(User)[0].kind == "federated"


def test_who_is_not_active_does_not_sign_in(world, load):
    load(users=[with_services(ANN, totp=None) | {"active": None, "roles": ["user"]}])
    assert world.login("ann", PASSWORD).status_code == 401


def test_a_membership_that_cannot_be_is_left_out(load, arrived):
    cases = [
        ({"u": {"_id": "nobody"}}, "Its user is not here."),
        ({"rid": "nowhere"}, "Its room is not here."),
        ({"u": None}, "u: Missing data for required field."),
        ({"oldRoomKeys": [{"ts": LONG_AGO, "E2EKey": "K"}]}, "oldRoomKeys.0.e2eKeyId: Missing"),
    ]
    rows = [SUBSCRIPTIONS[0] | change for change, _ in cases]
    code, said = load(**EXPORT | {"rocketchat_subscription": rows})
    assert code == 1
    for (_, why), left in zip(cases, said["leftOut"], strict=True):
        assert left["why"].startswith(why)


def test_who_has_left_a_room_here_is_not_brought_back(world, load, arrived):
    membership = world.session.get(Subscription, (BEN_ID, ROOM_ID))
    world.session.delete(membership)
    world.session.add(LeftRoom(user_id=BEN_ID, room_id=ROOM_ID, left_at=NOW))
    world.session.commit()
    code, said = load(**EXPORT)
    assert (code, said["leftOut"][0]["why"]) == (1, "Its user has left the room on this server.")
    assert world.rows(Subscription, user_id=BEN_ID) == []


def test_a_row_that_is_no_object_is_left_out(load):
    code, said = load(users=["{", BEN])
    assert (code, said["leftOut"][0]["why"]) == (1, "It is no row that can be read.")


@pytest.mark.parametrize(
    ("name", "args"),
    [("users.json", ()), ("meteor.users.json", ()), ("people.txt", ("--collection", "users"))],
)
def test_one_file_is_enough_and_may_be_an_array(world, run, tmp_path, name, args):
    (tmp_path / name).write_text(json.dumps([BEN], indent=1))
    lines = run("import", "rocketchat", str(tmp_path / name), *args).output.splitlines()
    assert lines[-1] == "users: 1 stored, 0 there already, 0 of no use here, 0 left out."
    assert [row.id for row in world.rows(User)] == [BEN_ID]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["messages.json"], "No file there is named after a collection: roles,"),
        (["users.json", "user.jsonl"], "users.json are both of users"),
    ],
)
def test_a_folder_that_will_not_do_is_one_clear_line(run, tmp_path, names, words):
    for name in names:
        (tmp_path / name).write_text("")
    assert words in error_of(run("import", "rocketchat", str(tmp_path)))


def test_a_file_of_an_unknown_name_asks_for_its_collection(run, tmp_path):
    (tmp_path / "people.json").write_text("")
    error = error_of(run("import", "rocketchat", str(tmp_path / "people.json")))
    assert "give --collection" in error


def test_people_read_what_was_left_out(run, tmp_path):
    (tmp_path / "users.json").write_text('{"_id": "x"}\n')
    first, last = run("import", "rocketchat", str(tmp_path)).output.splitlines()
    assert first.startswith("users, row 1, x: left out. ")
    assert last == "users: 0 stored, 0 there already, 0 of no use here, 1 left out."
    tried = run("import", "rocketchat", str(tmp_path), "--dry-run").output
    assert tried == f"{first}\n{last}\n".replace("stored", "would be stored")
