"""The mix: which moves a client makes."""

import time
from collections.abc import Callable

from bench.soak.client import Client
from bench.soak.people import Person
from e2ereset.server.sessions.tokens import token_digest

from .codes import ask_again, ask_for_nobody
from .keys import fetch_key, hand_out, set_key
from .refusals import give_no_code, give_wrong_code, name_forbidden, use_up_budget
from .resets import reset_other, reset_own, reset_twice_at_once
from .signing import guess_password, sign_in, sign_in_with_spent_code, sign_out, use_dead_token

Play = Callable[[Client, Person], bool]


SIGNED_OUT: dict[Play, int] = {
    sign_in: 20,
    sign_in_with_spent_code: 6,
    use_dead_token: 2,
    guess_password: 1,
    ask_for_nobody: 1,
}


SIGNED_IN: dict[Play, int] = {
    reset_own: 24,
    reset_other: 60,
    reset_twice_at_once: 4,
    set_key: 14,
    fetch_key: 10,
    hand_out: 8,
    give_wrong_code: 8,
    give_no_code: 4,
    name_forbidden: 8,
    ask_again: 60,
    ask_for_nobody: 2,
    sign_in: 4,
    sign_out: 3,
    guess_password: 2,
    use_up_budget: 1,
}


def play_one(client: Client) -> None:
    """One random move of a random person."""
    client.settle_due()
    ready = client.ready()
    if not ready:
        time.sleep(0.2)
        return
    person = client.random.choice(ready)
    alive = bool(person.token) and token_digest(person.token or "") in person.live
    mix = SIGNED_IN if alive else SIGNED_OUT
    play = client.random.choices(list(mix), weights=list(mix.values()))[0]
    play(client, person)
