"""A PgBouncer of our own on loopback, in front of a PostgreSQL on loopback."""

import os
import shutil
import tempfile
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from sqlalchemy import make_url

from tests.kit.network import free_port, listens
from tests.kit.postgres import OWNER
from tests.kit.program import Program

BINARY = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
SETTINGS = """
[databases]
* = host=127.0.0.1 port={behind}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = {mode}
default_pool_size = {size}
max_client_conn = 500
max_db_connections = 60
server_idle_timeout = 5
"""


@contextmanager
def own_pgbouncer(server_uri, mode="transaction", size=20):
    """The same address, by way of a PgBouncer in this mode, which ends after the block."""
    url, port = make_url(server_uri), free_port()
    folder = Path(tempfile.mkdtemp())
    facts = {"behind": url.port, "port": port, "folder": folder, "mode": mode, "size": size}
    (folder / "users").write_text(f'"{url.username}" ""\n')
    (folder / "settings.ini").write_text(SETTINGS.format(**facts))
    folder.chmod(0o755)  # it does not run as root
    uri = url.set(port=port).render_as_string(hide_password=False)
    command = [BINARY, "--quiet", folder / "settings.ini"]
    try:
        ready = partial(listens, port)
        with Program(command, folder / "log", ready=ready, cwd="/", **OWNER).running():
            yield uri
    finally:
        shutil.rmtree(folder)
