"""The body that holds a key pair."""

from e2ereset.http.schemas import Body, Flag, Text


class KeysBody(Body):
    """A new key pair; both are opaque text."""

    public_key = Text(required=True)
    private_key = Text(required=True)
    force = Flag(load_default=False)


KEYS = KeysBody()
