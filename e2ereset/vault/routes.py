"""`POST e2e.setUserPublicAndPrivateKeys`, `GET e2e.fetchMyKeys`, and `GET e2e.readability`."""

from collections.abc import Callable, Iterable

from flask import Blueprint, Response

from e2ereset.errors import InvalidParams, KeysAlreadySet, NotAllowed, ResetHeld
from e2ereset.http import Described, Gates, bodies, envelope
from e2ereset.records import Caller, Proof
from e2ereset.rooms import RoomState

from .schemas import KEYS, MY_KEYS, NO_QUERY, READABILITY
from .service import ACTION, Pair, Vault

Replace = Callable[[Caller, Pair, Proof, int], object]
"""Replaces the caller's pair by this one, with the proof, at that time (epoch seconds)."""
RoomsOf = Callable[[str], Iterable[RoomState]]
"""The encrypted rooms of the account of this id."""


def add_routes(blueprint: Blueprint, vault: Vault, replace_key: Replace, gates: Gates) -> None:
    """Put the routes on the blueprint. `replace_key` stores another public key: a reset."""
    if vault.knows_rooms:
        add_readability(blueprint, vault.rooms, gates)

    @blueprint.post("/e2e.setUserPublicAndPrivateKeys")
    @Described(body=KEYS, step_up=True, refuses=(KeysAlreadySet, NotAllowed, ResetHeld))
    def set_keys() -> Response:
        """Store the caller's key pair, or a private key wrapped anew for the same public key."""
        with gates.entered(ACTION) as asked:
            if gates.read_body().is_form and gates.cross_site.rides_on_cookie():
                raise InvalidParams(f"body must be {bodies.JSON_TYPE}")  # any page can send a form
            body = gates.body(KEYS)
            gates.rate_limit("guarded" if asked.proof.code else "write")
            pair = Pair(body["public_key"], body["private_key"])
            done = vault.set(asked.caller, pair, force=body["force"], now=asked.now)
        with gates.waking():
            if not done:
                replace_key(asked.caller, pair, asked.proof, asked.now)
        return envelope.success()

    @blueprint.get("/e2e.fetchMyKeys")
    @Described(answer=MY_KEYS)
    def fetch_my_keys() -> Response:
        """The caller's key pair; only `success` when there is none."""
        with gates.entered("fetch-e2e-keys") as asked:
            gates.read_body().parsed()  # only to refuse a malformed body
            gates.rate_limit("read")
        pair = vault.get(asked.caller.account.id)
        if pair is None:
            return envelope.success()
        return envelope.success(public_key=pair.public_key, private_key=pair.private_key)


def add_readability(blueprint: Blueprint, rooms_of: RoomsOf, gates: Gates) -> None:
    """Put `e2e.readability` on the blueprint."""

    @blueprint.get("/e2e.readability")
    @Described(query=NO_QUERY, answer=READABILITY)
    def show_readability() -> Response:
        """Which encrypted rooms the caller can read, which wait for a key, and which are dead."""
        with gates.asked("readability", NO_QUERY) as (asked, _):
            rooms = rooms_of(asked.caller.account.id)
        return envelope.success(rooms=[room.told(asked.now) for room in rooms])
