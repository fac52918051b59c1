"""What doctor examines: one app and how it is run, as plain data. Nothing here knows Flask."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from e2ereset.settings import Settings
from e2ereset.upkeep.rotation import Rotation


def is_loopback(host: str | None) -> bool:
    """Whether a connection to this host stays on the machine; None is a socket file."""
    if not host or host == "localhost" or host.startswith("/"):
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """The mail relay as Flask-Mailman or Flask-Mail is set to use it; `timeout` in seconds.

    `backend` is Flask-Mailman's; `send` where the host has a function of its own.
    """

    backend: str = "smtp"
    server: str = "localhost"
    port: int = 25
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    starttls: bool = False
    tls: bool = False
    timeout: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How many serve: machines, workers on each, threads in each worker."""

    workers: int = 2
    threads: int = 4
    machines: int = 1

    @property
    def processes(self) -> int:
        """All workers on all machines."""
        return self.workers * self.machines


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """The app to examine. What could not be made, because the settings refuse, is None.

    `refusal` says why the app does not start; it is empty when the app does. `storage` is the
    store of the request rates, `instance` the folder of the app's own files. `absent` has what
    settings of the pages name and the app lacks, by the setting. `ungated`: endpoints of views that
    are served without their gate. `mail`: whether to connect to the relay. `clock` gives epoch
    seconds.
    """

    config: Mapping[str, Any] = field(repr=False)
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    settings: Settings | None = None
    refusal: str = ""
    engine: Engine | None = None
    relay: Relay = Relay()
    storage: Any = None
    instance: Path | None = None
    absent: Mapping[str, str] = field(default_factory=dict)
    ungated: Sequence[str] = ()
    scale: Scale = Scale()
    rotation: Rotation | None = None
    mail: bool = True
    clock: Callable[[], float] = time.time

    @property
    def known(self) -> Settings:
        """The settings; only for checks that need them."""
        assert self.settings is not None  # noqa: S101 - such checks are left out otherwise
        return self.settings

    @property
    def keys(self) -> Rotation:
        """What tells which keys are needed; only for checks that need the settings."""
        assert self.rotation is not None  # noqa: S101 - such checks are left out otherwise
        return self.rotation

    @property
    def database(self) -> Engine:
        """The engine; only for checks that need the database."""
        assert self.engine is not None  # noqa: S101 - such checks are left out otherwise
        return self.engine
