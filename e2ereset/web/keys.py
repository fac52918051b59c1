"""`POST e2e.setUserPublicAndPrivateKeys` and `GET e2e.fetchMyKeys`."""

from __future__ import annotations

from flask import Response

from e2ereset.runtime import get_e2ereset
from e2ereset.services.keys import Pair

from . import envelope, gates
from .schemas import KEYS


def set_keys() -> Response:
    """Store the caller's key pair; over one that is there only with `force`."""
    runtime, caller = get_e2ereset(), gates.signed_in()
    body = gates.body(KEYS)
    gates.rate_limit()
    pair = Pair(body["public_key"], body["private_key"])
    now = int(runtime.clock())
    runtime.vault.set(caller, pair, force=body["force"], now=now)
    return envelope.success()


def fetch_my_keys() -> Response:
    """The caller's key pair; nothing but `success` when there is none."""
    runtime, caller = get_e2ereset(), gates.signed_in()
    gates.rate_limit()
    pair = runtime.vault.get(caller.account.id)
    if pair is None:
        return envelope.success()
    return envelope.success(public_key=pair.public_key, private_key=pair.private_key)
