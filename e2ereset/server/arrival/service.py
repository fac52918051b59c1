"""Takes over the collections of a Rocket.Chat server, each row in a transaction of its own."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from marshmallow import ValidationError

from e2ereset.cli.rows import BadFile, fields_of, read_json, rows_of
from e2ereset.errors import E2EResetError

from .outcome import STORED, Arriving, Outcome, Take
from .people import take_user
from .rights import take_permission, take_role
from .rooms import take_room, take_subscription

COLLECTIONS: dict[str, Take] = {
    "roles": take_role,
    "permissions": take_permission,
    "users": take_user,
    "rooms": take_room,
    "subscriptions": take_subscription,
}
"""In the order in which one builds on the other."""
SUFFIXES = (".json", ".jsonl", ".ndjson")


def find_files(folder: Path) -> dict[str, Path]:
    """The files of a folder by their collections. Raises BadFile for none, or two of one."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        collection = collection_of(path)
        if not collection or path.suffix.lower() not in SUFFIXES:
            continue
        if collection in found:
            raise BadFile(f"{found[collection].name} and {path.name} are both of {collection}.")
        found[collection] = path
    if not found:
        raise BadFile(f"No file there is named after a collection: {', '.join(COLLECTIONS)}.")
    return found


def collection_of(path: Path) -> str | None:
    """The collection that a file is named after, such as `rocketchat_room.json`; None for none."""
    name = path.stem.lower().split(".")[-1].removeprefix("rocketchat_")
    name = name if name.endswith("s") else f"{name}s"
    return name if name in COLLECTIONS else None


def take_over(arriving: Arriving, files: Mapping[str, Path]) -> Outcome:
    """Store what the files have, by collection, and say what became of each row.

    What is here already is left as it is, so that it can run again. Nobody gets a mail. Raises
    BadFile; what was stored until then stays.
    """
    outcome = Outcome()
    for collection in COLLECTIONS:
        if collection in files:
            outcome.counts[collection] = Counter()
            try:
                _take_all(arriving, collection, files[collection], outcome)
            finally:
                _note(arriving, collection, outcome.counts[collection][STORED])
    return outcome


def _take_all(arriving: Arriving, collection: str, path: Path, outcome: Outcome) -> None:
    for number, given in rows_of(path, read_json, collection):
        try:
            took = COLLECTIONS[collection](arriving, fields_of(given))
            outcome.add(collection, number, given, took)
        except (E2EResetError, ValidationError) as fault:
            outcome.leave_out(collection, number, given, fault)


def _note(arriving: Arriving, collection: str, stored: int) -> None:
    """Write the audit row of a collection; users, roles and permissions have one each as well."""
    if stored:
        with arriving.begin() as session:
            words = f"{stored} stored"
            arriving.acting.note(session, "import-rocketchat", collection, outcome=words)
