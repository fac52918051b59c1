"""Files for their owner only, and folders that settings name."""

import os
from pathlib import Path

from e2ereset.errors import SettingsError


def private(path: str, flags: int) -> int:
    """An opener for `open`: a file that it makes is for its owner only, whatever the umask."""
    return os.open(path, flags, 0o600)


def folder_of(setting: str, path: str) -> list[Path]:
    """The folder that this setting names; none where it is empty.

    Raises SettingsError for one that is not there.
    """
    if path and not Path(path).is_dir():
        raise SettingsError(
            f"{setting} is {path!r}, and there is no such folder. Make it, or correct the setting."
        )
    return [Path(path)] if path else []
