"""`keys rotate`: brings what is stored under the newest secret key, so that older ones can go."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import click

from e2ereset.factors.strategies import Strategy
from e2ereset.factors.strategies.totp import TotpStrategy
from e2ereset.jobs import queue
from e2ereset.records import iso_if_known
from e2ereset.runtime import Runtime
from e2ereset.upkeep.rotation import Batch, Rotation, Use

from .base import Commands, Output, batch, note, prints

keys = Commands("keys", help="The secret keys, E2ERESET_SECRET_KEYS.")


@prints(keys.command("rotate"))
@batch(100)
@click.option(
    "--pause", type=click.FloatRange(0, 60), default=0, help="Seconds to rest after a write."
)
@click.option("--check", is_flag=True, help="Only count what is left; exit with 1 if anything is.")
def rotate(runtime: Runtime, *, batch: int, pause: float, check: bool) -> Output:
    """Encrypt and sign again with the newest secret key, and say which older ones can go.

    Runs beside the traffic, and goes on when it is started again. Before, give the new list of
    secret keys to all workers.
    """
    rotation = make_rotation(runtime)
    done = [] if check else list(_batches(rotation, batch, pause))
    renewed = sum(batch.renewed for batch in done)
    if renewed:
        note(runtime, "rotate-keys", f"renewed {renewed}")
    uses = rotation.uses(batch)
    data = {
        "renewed": renewed,
        "unreadable": [row for batch in done for row in batch.unreadable],
        **_verdicts(runtime.keyring.ids, uses),
    }
    # A mailed code expires: after a rotation there is nothing to do about it.
    return data, _lines(data), int(any(check or use.until is None for use in uses))


def make_rotation(runtime: Runtime) -> Rotation:
    """The rotation of all that this app has encrypted."""
    # TOTP's too where the method is switched off: it may be switched on again.
    strategies: tuple[Strategy | type[Strategy], ...]
    strategies = (TotpStrategy, *runtime.strategies)
    columns = [*(column for method in strategies for column in method.encrypted), queue.ENCRYPTED]
    return Rotation(runtime, list({str(column): column for column in columns}.values()))


def _batches(rotation: Rotation, batch: int, pause: float) -> Iterator[Batch]:
    for done in rotation.rotate(batch):
        yield done
        if done.renewed:
            time.sleep(pause)


def _verdicts(ids: Sequence[str], uses: list[Use]) -> dict[str, Any]:
    """What each secret key is still needed for, and what needs one that is not there."""
    keys = [
        {
            "key": key,
            "place": place,
            "newest": place == 1,
            "neededFor": [_shown(use) for use in uses if place > 1 and use.key in (key, None)],
        }
        for place, key in enumerate(ids, 1)
    ]
    lost = [_shown(use) for use in uses if use.key is not None and use.key not in ids]
    return {"keys": keys, "withoutKey": lost}


def _shown(use: Use) -> dict[str, Any]:
    until = iso_if_known(use.until)
    return {"what": use.what, "count": use.count, "until": until}


def _lines(data: dict[str, Any]) -> Iterator[str]:
    yield f"Texts and signatures renewed: {data['renewed']}."
    for row in data["unreadable"]:
        yield f"No key opens {row}."
    for use in data["withoutKey"]:
        yield f"E2ERESET_SECRET_KEYS lacks the key of: {_words(use)}."
    for key in data["keys"]:
        yield f"Key {key['place']}, {key['key']}, {_verdict(key)}"


def _verdict(key: dict[str, Any]) -> str:
    if key["newest"]:
        return "is the newest and stays."
    if not key["neededFor"]:
        return "can be taken out of E2ERESET_SECRET_KEYS."
    return f"must stay for: {', '.join(map(_words, key['neededFor']))}."


def _words(use: dict[str, Any]) -> str:
    until = f" until {use['until']}" if use["until"] else ""
    return f"{use['count']} {use['what']}{until}"
