"""What a client sends to PostgreSQL is cut into messages, and counted by their kind."""

import pytest

from bench.wire import Commands, Messages


def message(kind, body=b""):
    return kind + (len(body) + 4).to_bytes(4) + body


START = message(b"", b"\0\3\0\0user\0postgres\0\0")
ASK_FOR_TLS = message(b"", (80877103).to_bytes(4))
BEGIN = message(b"Q", b"BEGIN\0")
PARSED = message(b"P", b"\0SELECT 1\0\0\0")
BOUND = message(b"B") + message(b"D", b"P") + message(b"E")
SYNC = message(b"S")


@pytest.mark.parametrize("size", [1, 7, 4096])
@pytest.mark.parametrize(
    ("sent", "commands", "unprepared"),
    [
        (BOUND + SYNC, 1, 0),
        (PARSED + BOUND + SYNC, 1, 1),
        (BEGIN + BOUND + SYNC + BOUND + SYNC, 3, 0),
        (message(b"Q", b"SELECT 1\0"), 1, 1),
    ],
)
def test_commands_are_counted_however_they_are_cut(sent, commands, unprepared, size):
    messages, counted, data = Messages(), Commands(), ASK_FOR_TLS + START + sent
    for place in range(0, len(data), size):
        for kind, body in messages.feed(data[place : place + size]):
            counted.note(kind, body)
    assert counted == Commands(commands, unprepared)
