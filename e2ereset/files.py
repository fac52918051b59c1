"""Files that hold secrets, or personal data."""

import os


def private(path: str, flags: int) -> int:
    """An opener for `open`: a file that it makes is for its owner only, whatever the umask."""
    return os.open(path, flags, 0o600)
