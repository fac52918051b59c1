"""Defaults for `gunicorn wsgi:app`; GUNICORN_CMD_ARGS and the command line override them.

What is not set here is gunicorn's default on purpose. `forwarded_allow_ips`: loopback alone, and
the app counts proxies by E2ERESET_SERVER_PROXY_HOPS. `max_requests`: workers do not grow, and each
new one would leave a file of counts behind. `accesslog`: the app writes a line for each request.
"""

import gc
import os
import sys

from e2ereset import get_e2ereset
from e2ereset.errors import SettingsError
from e2ereset.metrics import multiprocess
from e2ereset.operations import listener
from e2ereset.operations.routes import operations_of
from e2ereset.server import listen_address, logs
from e2ereset.server.sessions.service import current_sessions
from e2ereset.server.worker import WholeRequests

try:
    bind = listen_address.bind_of()
except SettingsError as error:
    sys.exit(f"Error: {error}")
multiprocess.claim_folder()  # before anything imports prometheus_client
# A thread is given to a request that has come whole: slow clients hold none. Seconds that a client
# has for the head of its request, and then for the body.
worker_class = WholeRequests
WholeRequests.head_seconds = float(os.environ.get("HEAD_SECONDS", "10"))
WholeRequests.body_seconds = float(os.environ.get("BODY_SECONDS", "30"))
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
threads = 4
# The app is loaded once and shared: half the memory a worker. Nothing is connected before the fork,
# and each worker starts its own threads below.
preload_app = True
timeout = 30
graceful_timeout = 30  # a request in flight, or a mail, gets as long after SIGTERM
keepalive = 5
# Its path is the same for all servers of a user: each new one would take it from the one before.
control_socket_disable = True
limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 8190
umask = 0o077  # mails and the SQLite file are for the server's own eyes
# A worker's sign of life is a file: on a disk that stalls it would be taken for dead.
SHARED_MEMORY = "/dev/shm"  # noqa: S108
worker_tmp_dir = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None


def on_starting(server):
    """End with one line where the address is taken, before gunicorn has tried it five times."""
    if server.cfg.reuse_port or {"GUNICORN_FD", "LISTEN_FDS"} & os.environ.keys():
        return  # sockets are shared, or come from another process
    try:
        for where in server.cfg.address:
            if isinstance(where, tuple):
                listen_address.check_free(*where)
    except SettingsError as error:
        multiprocess.drop_folder()
        sys.exit(f"Error: {error}")


def when_ready(server):
    """Prepare what the workers share, before the first of them is forked: sockets and memory."""
    where = get_e2ereset(server.app.wsgi()).settings.operations_bind
    if where:
        listener.open_listener(where)
    # What is loaded by now stays for ever. The collector leaves it alone, so that a worker does not
    # write to the memory that it shares with the others.
    gc.freeze()


def on_reload(_server):
    """Give gunicorn's lines our form again, which a reload takes from them."""
    logs.format_gunicorn()


def post_worker_init(worker):
    """Deliver mail, seal the audit log, answer operators: beside the requests, in each worker."""
    current_sessions(worker.wsgi).hasher.keep_below(worker.cfg.threads)
    worker.longest_body = get_e2ereset(worker.wsgi).settings.max_body_bytes
    get_e2ereset(worker.wsgi).start()
    listener.serve_all(operations_of(worker.wsgi))


def worker_exit(_server, worker):
    """Finish the mail that is being delivered."""
    get_e2ereset(worker.wsgi).stop(timeout=graceful_timeout)


def on_exit(_server):
    """Remove the folder of the counts."""
    multiprocess.drop_folder()
