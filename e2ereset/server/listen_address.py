"""Where the server listens: HOST and PORT of the environment.

`python -m e2ereset.server.listen_address` prints one clear line where that is not possible.
"""

import errno
import os
import socket
import sys
from collections.abc import Mapping

from e2ereset.errors import SettingsError

HIGHEST_PORT = 65535
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # nosec B104 - what HOST may say


def read_address(environ: Mapping[str, str] = os.environ) -> tuple[str, int]:
    """Host, an IPv6 address without brackets, and port. Raises SettingsError."""
    host = (environ.get("HOST") or "127.0.0.1").strip().removeprefix("[").removesuffix("]")
    port = (environ.get("PORT") or "8000").strip()
    if not (port.isascii() and port.isdecimal() and 1 <= int(port) <= HIGHEST_PORT):
        raise SettingsError(f"PORT must be a number from 1 to {HIGHEST_PORT}, not {port!r}.")
    return host, int(port)


def bind_of(environ: Mapping[str, str] = os.environ) -> str:
    """What gunicorn binds to. Raises SettingsError."""
    return "{}:{}".format(*_written(*read_address(environ)))


def url_of(environ: Mapping[str, str] = os.environ) -> str:
    """The URL by which this machine reaches the server. Raises SettingsError."""
    host, port = read_address(environ)
    return "http://{}:{}".format(*_written(EVERYWHERE.get(host, host), port))


def check_free(host: str, port: int) -> None:
    """Raise SettingsError where the server could not listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as fault:
        raise SettingsError(_refused(fault, host, port)) from None


def _refused(fault: OSError, host: str, port: int) -> str:
    if fault.errno == errno.EADDRINUSE:
        return f"Port {port} of {host} is in use. Stop what has it, or choose another: PORT=..."
    if fault.errno == errno.EACCES:
        return f"This account may not listen on port {port}. Choose one above 1023: PORT=..."
    return f"HOST={host} is no address of this machine: {fault.strerror or fault}."


def _written(host: str, port: int) -> tuple[str, int]:
    return (f"[{host}]" if ":" in host else host), port


if __name__ == "__main__":
    try:
        check_free(*read_address())
    except SettingsError as error:
        sys.exit(f"Error: {error}")
