"""A server under `gunicorn.conf.py` as it stands, and owners who use it while it is attacked."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from threading import Event, Thread
from typing import Any

from e2ereset import get_e2ereset
from tests.kit.client import API, ME, Client
from tests.kit.live import User, make_live
from tests.kit.relay import Relay
from tests.kit.states import account_of, add_user, enrol_totp

LONGEST = 10.0  # seconds that an owner waits
SETTINGS = {"FLASK_E2ERESET_SERVER_LOG_LEVEL": "error", "FLASK_E2ERESET_SERVER_BCRYPT_COST": "12"}


@dataclass(slots=True)
class Target:
    """The server's port, where its mails land, and the owners who have not reset yet."""

    port: int
    mails: Relay
    by_app: list[User]
    by_mail: list[User]

    def ask(self, method: str, path: str, body: Any = None) -> None:
        """Ask as a stranger. Raises OSError where there is no answer in time."""
        try:
            self._client.call(method, API + path, None, body)
        except HTTPException as error:
            raise OSError from error

    def look(self, owner: User) -> bool:
        """Whether the owner sees the own account."""
        return self._client.call("GET", ME, owner.headers).status == 200

    def reset_by_app(self) -> bool:
        """Whether the next owner's reset by an authenticator app is done."""
        owner = self.by_app.pop()
        return self._client.reset(owner.headers, code=owner.totp.now()).status == 200

    def reset_by_mail(self) -> bool:
        """Whether the next owner's reset by a mailed code is done."""
        owner, end = self.by_mail.pop(), time.monotonic() + LONGEST
        self._client.reset(owner.headers)
        while time.monotonic() < end:
            if code := self.mails.newest_code(owner.address):
                return self._client.reset(owner.headers, code=code).status == 200
            time.sleep(0.02)
        return False

    @property
    def _client(self) -> Client:
        return Client(self.port, timeout=LONGEST)


class Asking:
    """Does a thing again and again in a thread of its own, and notes how long each took."""

    def __init__(self, do: Callable[[], bool], pause: float) -> None:
        self.seconds: list[float] = []
        self.failed = 0
        self._do, self._pause, self._over = do, pause, Event()
        self._thread = Thread(target=self._run)
        self._thread.start()

    def end(self) -> None:
        """Finish the one under way."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(self._pause):
            began = time.perf_counter()
            try:
                self.failed += not self._do()
            except (OSError, HTTPException):
                self.failed += 1
            self.seconds.append(time.perf_counter() - began)


@contextmanager
def attacked_server(folder: Path, database: str | None, owners: int) -> Iterator[Target]:
    """A server with two workers of four threads, and so many owners of each kind."""
    with make_live(folder, database, SETTINGS) as live:
        with live.app() as app:
            runtime = get_e2ereset(app)
            by_app, by_mail = (
                [add_user(runtime, f"{kind}{n}") for n in range(owners)] for kind in ("app", "mail")
            )
            for owner in by_app:
                owner.totp, _codes = enrol_totp(runtime, owner)
            for owner in by_mail:
                runtime.factors.set_email(account_of(runtime, owner), True)
        yield Target(live.port, live.inbox, by_app, by_mail)
