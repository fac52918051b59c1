"""The body and the answer that hold a key pair."""

from e2ereset.http.schemas import Answer, Body, Flag, Text


class KeysBody(Body):
    """A new key pair; both are opaque text."""

    public_key = Text(required=True)
    private_key = Text(required=True)
    force = Flag(load_default=False)


class MyKeys(Answer):
    """The caller's key pair; without one, neither key."""

    public_key = Text()
    private_key = Text()


KEYS = KeysBody()
MY_KEYS = MyKeys()
