"""Defaults for `gunicorn wsgi:app`; GUNICORN_CMD_ARGS and the command line override them."""

import os

from e2ereset import get_e2ereset

bind = f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"
worker_class = "gthread"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
threads = 4
# The app is loaded once and shared: half the memory a worker. Nothing is connected before the fork,
# and each worker starts its own threads below.
preload_app = True
timeout = 30
graceful_timeout = 30
keepalive = 5
# Its path is the same for all servers of a user: each new one would take it from the one before.
control_socket_disable = True
limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 8190
umask = 0o077  # mails and the SQLite file are for the server's own eyes


def post_worker_init(worker):
    """Deliver mail and seal the audit log beside the requests, in each worker."""
    get_e2ereset(worker.wsgi).start()


def worker_exit(_server, worker):
    """Finish the mail that is being delivered."""
    get_e2ereset(worker.wsgi).stop(timeout=graceful_timeout)
