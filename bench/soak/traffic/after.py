"""What a move leaves behind."""

from dataclasses import replace

from bench.soak.people import ROOMS, Person
from bench.soak.states import State


def after_reset(person: Person) -> State:
    """What a reset of this person's key leaves."""
    state = person.state
    return replace(
        state,
        pair=None,
        room_keys=0,
        waits=len(ROOMS),
        tokens=0,
        resets=state.resets + 1,
        empty_resets=state.empty_resets + (state.pair is None and state.room_keys == 0),
        notices=state.notices + len(person.addresses),
    )


def refused(person: Person, **grown: int) -> State:
    """What a refusal leaves: its audit row, and what else has grown."""
    return grow(person.state, refused=1, **grown)


def grow(state: State, **by: int) -> State:
    """The state with these counts grown."""
    return replace(state, **{name: getattr(state, name) + n for name, n in by.items()})
