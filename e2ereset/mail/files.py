"""Flask-Mailman's backend `file`, whose mails only their owner can read: codes are in them."""

from __future__ import annotations

import os
from typing import Any

from flask_mailman.backends.file import EmailBackend

from e2ereset.files import private


class FileBackend(EmailBackend):  # type: ignore[misc]
    """The backend `file`; by itself it leaves the modes to the umask."""

    def __init__(self, *args: Any, **options: Any) -> None:
        folder = options.get("file_path") or options["mailman"].file_path
        os.makedirs(folder, mode=0o700, exist_ok=True)
        super().__init__(*args, **options)

    def open(self) -> bool:
        """Open the file of this connection. False when it is open."""
        if getattr(self, "stream", None):
            return False
        path = self._get_filename()
        self.stream = open(path, "ab", opener=private)  # noqa: SIM115 - `close` closes it
        return True
